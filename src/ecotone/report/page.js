(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);

  const slider = byId("tolerance");
  if (slider) {
    const stops = JSON.parse(byId("frontier-data").textContent);
    const rows = [...byId("at-bars").rows];
    const here = byId("frontier-here");
    const show = () => {
      const stop = stops[Number(slider.value)];
      for (const key of ["tolerance", "target", "general"]) {
        byId("at-" + key).textContent = stop[key];
      }
      byId("at-note").textContent = stop.note || "\u00a0";
      slider.setAttribute("aria-valuetext", stop.told);
      here.setAttribute("cx", stop.x);
      here.setAttribute("cy", stop.y);
      rows.forEach((row, i) => {
        const [share, epochs, width] = stop.bars[i];
        row.querySelector(".bar").style.width = width + "%";
        row.cells[2].textContent = share;
        row.cells[3].textContent = epochs;
      });
    };
    slider.addEventListener("input", show);
    slider.closest(".control").hidden = false;
    show(); // a reloaded page keeps the place of the slider
  }

  for (const block of document.querySelectorAll(".commands pre")) {
    const button = document.createElement("button");
    const say = (words) => {
      button.textContent = words;
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    };
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", () => {
      const code = block.querySelector("code");
      getSelection().selectAllChildren(code);
      if (!navigator.clipboard) {
        say("Selected");
        return;
      }
      navigator.clipboard.writeText(code.textContent).then(() => say("Copied"), () => say("Selected"));
    });
    block.append(button);
  }

  // paper cannot be clicked: folded tables are printed open
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of folded) part.open = false;
  });
})();
