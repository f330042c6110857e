// What a screen reader needs and the theme leaves out.
addEventListener("DOMContentLoaded", () => {
  // A name that differs from the words on a button cannot be spoken to it: the words are the name.
  for (const button of document.querySelectorAll("button[aria-label], summary[aria-label]")) {
    const words = (button.textContent || "").trim().replace(/\s+/g, " ");
    if (words && !button.getAttribute("aria-label").includes(words)) button.removeAttribute("aria-label");
  }
  // The icons inside carry titles of their own, which do not say what the button does.
  for (const button of document.querySelectorAll(".theme-switch-button")) {
    button.setAttribute("aria-label", "Color mode");
    for (const icon of button.children) icon.setAttribute("aria-hidden", "true");
  }
  // The arrows that unfold the table of contents have no words at all.
  for (const arrow of document.querySelectorAll(".toctree-toggle")) {
    const chapter = arrow.closest("li")?.querySelector("a")?.textContent.trim();
    arrow.closest("summary")?.setAttribute("aria-label", `Pages of ${chapter}`);
  }
  const sidebar = document.querySelector(".bd-sidebar-primary");
  if (sidebar && !sidebar.getAttribute("role")) {
    sidebar.setAttribute("role", "region");
    sidebar.setAttribute("aria-label", "Book");
  }
});
