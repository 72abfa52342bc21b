"""From impact matrices to trees."""
