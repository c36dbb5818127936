// What Flower's page of workers says in a script of its own: whether it keeps itself up to date.
var autorefresh = Number(document.currentScript.getAttribute("data-refresh"));
