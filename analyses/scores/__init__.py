"""How trees are compared with gold trees."""
