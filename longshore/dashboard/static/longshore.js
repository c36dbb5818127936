// Keeps a page up to date, and selects all rows. Everything else works without scripts.
(function () {
  "use strict";

  var live = document.getElementById("longshore-live");
  if (!live) { return; }
  var pressed = false;
  var every = 1000 * Number(live.getAttribute("data-refresh") || 0);

  // While somebody chooses, writes or reads on, nothing moves under their hands.
  function busy() {
    var focused = document.activeElement;
    return pressed || document.hidden || !!live.querySelector("input[name=pick]:checked, details.longshore-limit[open]") ||
      (live.contains(focused) && /^(INPUT|SELECT|TEXTAREA)$/.test(focused.tagName)) ||
      Array.prototype.some.call(live.querySelectorAll("input[name=why]"), function (field) { return field.value; }) ||
      !window.getSelection().isCollapsed;
  }

  function opened(root) {
    return Array.prototype.map.call(root.querySelectorAll("details"), function (each) { return each.open; });
  }

  function replace(text) {
    var page = new DOMParser().parseFromString(text, "text/html");
    var fresh = page.getElementById("longshore-live");
    if (!fresh) { window.location.reload(); return; }
    if (fresh.innerHTML === live.innerHTML) { return; }
    var open = opened(live);
    var focused = live.contains(document.activeElement) && document.activeElement.getAttribute("href");
    var imported = document.importNode(fresh, true);
    imported.querySelectorAll("details").forEach(function (each, index) {
      if (index < open.length) { each.open = open[index]; }
    });
    live.replaceWith(imported);
    live = imported;
    if (focused) {
      Array.prototype.some.call(live.querySelectorAll("a[href]"), function (link) {
        if (link.getAttribute("href") !== focused) { return false; }
        link.focus({preventScroll: true});
        return true;
      });
    }
  }

  function look() {
    if (busy()) { window.setTimeout(look, every); return; }
    fetch(window.location.href, {credentials: "same-origin"}).then(function (answer) {
      // Away for a moment: what is shown stays, paler.
      if (answer.status === 503 && !document.querySelector(".alert-warning[role=alert]")) {
        live.classList.add("longshore-stale");
        return;
      }
      return answer.text().then(function (text) { if (!busy()) { replace(text); } });
    }).catch(function () {
      live.classList.add("longshore-stale");
    }).then(function () { window.setTimeout(look, every); });
  }

  document.addEventListener("pointerdown", function () { pressed = true; });
  ["pointerup", "pointercancel"].forEach(function (name) {
    // The click that follows still finds what was pressed.
    document.addEventListener(name, function () { window.setTimeout(function () { pressed = false; }, 200); });
  });

  document.addEventListener("change", function (event) {
    if (event.target.id !== "pick-all") { return; }
    // A bad signature is picked one by one, or under its own reason.
    live.querySelectorAll("input[name=pick]:not([data-alone])").forEach(function (box) { box.checked = event.target.checked; });
  });

  if (every > 0) { window.setTimeout(look, every); }
}());
