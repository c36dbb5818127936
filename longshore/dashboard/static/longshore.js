// Keeps a page up to date, and selects all rows. Everything else works without scripts.
(function () {
  "use strict";

  var live = document.getElementById("longshore-live");
  if (!live) { return; }
  var FOCUSABLE = "a[href], summary";
  var isPressed = false;
  var intervalMs = 1000 * Number(live.getAttribute("data-refresh") || 0);

  // No refresh while the user selects, types or reads.
  function isBusy() {
    var focused = document.activeElement;
    return isPressed || document.hidden || !!live.querySelector("input[name=pick]:checked, details.longshore-limit[open]") ||
      (live.contains(focused) && /^(INPUT|SELECT|TEXTAREA)$/.test(focused.tagName)) ||
      Array.prototype.some.call(live.querySelectorAll("input[name=why]"), function (field) { return field.value; }) ||
      !window.getSelection().isCollapsed;
  }

  function openStates(root) {
    return Array.prototype.map.call(root.querySelectorAll("details"), function (details) { return details.open; });
  }

  // At the same place, or wherever the same link is now; a summary has no link.
  function restoreFocus(place, href) {
    var all = Array.prototype.slice.call(live.querySelectorAll(FOCUSABLE));
    [all[place]].concat(all).some(function (element) {
      if (!element || element.getAttribute("href") !== href) { return false; }
      element.focus({preventScroll: true});
      return true;
    });
  }

  function replace(text) {
    var page = new DOMParser().parseFromString(text, "text/html");
    var newContent = page.getElementById("longshore-live");
    if (!newContent) { window.location.reload(); return; }
    if (newContent.innerHTML === live.innerHTML) { return; }
    var open = openStates(live);
    var focused = live.contains(document.activeElement) && document.activeElement;
    var place = Array.prototype.indexOf.call(live.querySelectorAll(FOCUSABLE), focused);
    var imported = document.importNode(newContent, true);
    imported.querySelectorAll("details").forEach(function (details, index) {
      if (index < open.length) { details.open = open[index]; }
    });
    live.replaceWith(imported);
    live = imported;
    if (place >= 0) { restoreFocus(place, focused.getAttribute("href")); }
  }

  function refreshPage() {
    if (isBusy()) { window.setTimeout(refreshPage, intervalMs); return; }
    fetch(window.location.href, {credentials: "same-origin"}).then(function (response) {
      // Redis is away: keep the page and dim it.
      if (response.status === 503 && !document.querySelector(".alert-warning[role=alert]")) {
        live.classList.add("longshore-stale");
        return;
      }
      return response.text().then(function (text) { if (!isBusy()) { replace(text); } });
    }).catch(function () {
      live.classList.add("longshore-stale");
    }).then(function () { window.setTimeout(refreshPage, intervalMs); });
  }

  document.addEventListener("pointerdown", function () { isPressed = true; });
  ["pointerup", "pointercancel"].forEach(function (name) {
    // Only after the click event, which needs the pressed element in place.
    document.addEventListener(name, function () { window.setTimeout(function () { isPressed = false; }, 200); });
  });

  document.addEventListener("change", function (event) {
    if (event.target.id !== "pick-all") { return; }
    // Invocations with a bad signature are selected one by one, or under the filter of that reason.
    live.querySelectorAll("input[name=pick]:not([data-alone])").forEach(function (checkbox) { checkbox.checked = event.target.checked; });
  });

  if (intervalMs > 0) { window.setTimeout(refreshPage, intervalMs); }
}());
