(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("js");
  function all(selector) { return Array.prototype.slice.call(document.querySelectorAll(selector)); }

  // Light and dark: the system's choice, until the reader makes one.
  var theme = document.getElementById("theme");
  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }
  theme.setAttribute("aria-pressed", String(isDark()));
  theme.addEventListener("click", function () {
    root.dataset.theme = isDark() ? "light" : "dark";
    theme.setAttribute("aria-pressed", String(isDark()));
  });

  // A link to a finding or to a line opens what it points at.
  function reveal() {
    var target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) { return; }
    var details = target.querySelector("details");
    if (details) { details.open = true; }
    if (target.hidden) { choose(""); }
  }
  addEventListener("hashchange", reveal);

  // Filter by verdict.
  var filters = all("[data-filter]");
  function choose(verdict) {
    filters.forEach(function (button) { button.setAttribute("aria-pressed", String(button.dataset.filter === verdict)); });
    all(".finding").forEach(function (row) { row.hidden = Boolean(verdict) && row.dataset.verdict !== verdict; });
    all(".findings tbody").forEach(function (body) { body.hidden = !body.querySelector(".finding:not([hidden])"); });
  }
  filters.forEach(function (button) { button.addEventListener("click", function () { choose(button.dataset.filter); }); });
  reveal();

  // Unfold everything, also for paper.
  var unfold = document.getElementById("unfold");
  function setOpen(isOpen) {
    all(".finding details").forEach(function (details) { details.open = isOpen; });
    unfold.textContent = isOpen ? unfold.dataset.open : unfold.dataset.shut;
    unfold.dataset.state = isOpen ? "open" : "";
  }
  unfold.addEventListener("click", function () { setOpen(unfold.dataset.state !== "open"); });
  var closed = [];
  addEventListener("beforeprint", function () {
    closed = all("details:not([open])");
    closed.forEach(function (details) { details.open = true; });
  });
  addEventListener("afterprint", function () { closed.forEach(function (details) { details.open = false; }); });

  // Copy the command.
  var copy = document.getElementById("copy");
  if (copy) {
    copy.addEventListener("click", function () {
      var code = document.getElementById("command");
      function done() { copy.textContent = copy.dataset.done; }
      function select() { getSelection().selectAllChildren(code); }
      if (navigator.clipboard) { navigator.clipboard.writeText(code.textContent).then(done, select); } else { select(); }
    });
  }

  // Read values off the chart under the pointer, or with the arrow keys.
  var data = JSON.parse(document.getElementById("series").textContent);
  var chart = document.getElementById("chart"), readout = document.getElementById("readout"), cursor = document.getElementById("cursor");
  var line = cursor.querySelector("line"), scroller = chart.parentNode, at = null;
  function valueAt(points, second) {
    var low = 0, high = points.length;
    while (low < high) { var middle = (low + high) >> 1; if (points[middle][0] <= second) { low = middle + 1; } else { high = middle; } }
    return low ? points[low - 1][1] : null;
  }
  function within(spans, second) { return spans.some(function (span) { return span[0] <= second && second <= span[1]; }); }
  function cell(row, text, className) {
    var made = row.insertCell(); made.textContent = text; if (className) { made.className = className; }
  }
  function show(second) {
    at = Math.min(Math.max(second, data.start), data.end);
    var share = (at - data.start) / (data.end - data.start), x = data.left + share * (data.right - data.left);
    line.setAttribute("x1", x); line.setAttribute("x2", x); cursor.removeAttribute("hidden");
    readout.textContent = "";
    var head = document.createElement("b"); head.textContent = at.toFixed(2) + " " + readout.dataset.unit; readout.appendChild(head);
    var table = document.createElement("table"); readout.appendChild(table);
    data.nodes.slice(0, 16).forEach(function (node) {
      var row = table.insertRow(), key = row.insertCell(), mark = document.createElement("span");
      mark.className = "key c" + node.color; key.appendChild(mark); key.appendChild(document.createTextNode(node.name));
      if (!within(node.up, at)) { cell(row, readout.dataset.silent); return; }
      var height = valueAt(node.h, at), view = valueAt(node.v, at);
      cell(row, readout.dataset.height + " " + (height === null ? "–" : height), "num");
      cell(row, readout.dataset.view + " " + (view === null ? "–" : view), "num");
      if (within(node.to, at)) { cell(row, readout.dataset.timeout); }
    });
    readout.hidden = false;
    var scale = chart.getBoundingClientRect().width / chart.viewBox.baseVal.width;
    var left = x * scale + 20;
    if (left + readout.offsetWidth > scroller.scrollLeft + scroller.clientWidth) { left = x * scale - readout.offsetWidth - 4; }
    readout.style.left = Math.max(0, left) + "px";
  }
  function hide() { readout.hidden = true; cursor.setAttribute("hidden", ""); }
  chart.addEventListener("pointermove", function (event) {
    var box = chart.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * chart.viewBox.baseVal.width;
    if (x < data.left || x > data.right) { hide(); return; }
    show(data.start + (x - data.left) / (data.right - data.left) * (data.end - data.start));
  });
  chart.addEventListener("pointerleave", hide);
  scroller.addEventListener("blur", hide);
  scroller.addEventListener("keydown", function (event) {
    if (event.key === "Escape") { hide(); return; }
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") { return; }
    event.preventDefault();
    var step = (data.end - data.start) / (event.shiftKey ? 20 : 200);
    show((at === null ? data.start : at) + (event.key === "ArrowRight" ? step : -step));
  });
}());
