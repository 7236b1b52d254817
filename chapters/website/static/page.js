"use strict";

// What the theme leaves out for readers who hear a page: the search button's name is what it shows,
// and the arrow that opens a part of the contents has a name.
document.querySelectorAll(".search-button-field").forEach((b) => b.removeAttribute("aria-label"));
document.querySelectorAll("nav summary").forEach((summary) => {
  const part = summary.closest("li")?.querySelector("a")?.textContent.trim();
  summary.setAttribute("aria-label", `Pages of ${part ?? "this part"}`);
});
