// A button that copies each block of commands or YAML, and a hint above what scrolls sideways.
document.addEventListener("DOMContentLoaded", () => {
  for (const block of document.querySelectorAll("article div.highlight:not(.highlight-text *)")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("pre").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    block.append(button);
  }
  const places = document.querySelectorAll("article table.docutils:not(.ansible-option-table), article .highlight-text pre");
  const hints = [...places].map((place) => {
    const hint = document.createElement("p");
    hint.className = "scroll-hint";
    hint.textContent = "Scroll sideways →";
    place.before(hint);
    return () => {
      const scrolls = place.scrollWidth > place.clientWidth + 1;
      hint.hidden = !scrolls;
      // The keyboard scrolls only what can have the focus.
      place.tabIndex = scrolls ? 0 : -1;
    };
  });
  const update = () => hints.forEach((one) => one());
  addEventListener("resize", update);
  update();
});
