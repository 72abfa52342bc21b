// The theme's search is a dialog without a name, which a screen reader has to say.
document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
