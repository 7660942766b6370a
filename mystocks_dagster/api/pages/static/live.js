// Optional: keeps the parts marked data-live as the server has them, and selects all rows of the table.
(() => {
  const busy = 2000;
  const quiet = 15000;

  const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  const toEnd = (part, follow) => {
    const log = part.matches(".log") ? part : part.querySelector(".log[role=log]");
    if (log && follow) log.scrollTop = log.scrollHeight;
  };

  const replace = (page) => {
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      // What the keyboard is in stays; it is replaced the next time.
      if (!fresh || fresh.isEqualNode(part) || (part.contains(document.activeElement) && !part.querySelector(".log"))) continue;
      const log = part.querySelector(".log[role=log]");
      const follow = !log || atEnd(log);
      const top = log ? log.scrollTop : 0;
      const focused = log && log === document.activeElement;
      const node = document.importNode(fresh, true);
      part.replaceWith(node);
      const newLog = node.querySelector(".log[role=log]");
      if (newLog && !follow) newLog.scrollTop = top;
      if (newLog && focused) newLog.focus({ preventScroll: true });
      toEnd(node, follow);
    }
  };

  const refresh = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.pathname + location.search, { headers: { accept: "text/html" } });
        if (!answer.ok) return;
        replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
      } catch {
        // The server restarts: the next attempt finds it.
      }
    }
    plan();
  };

  const plan = () => {
    const active = document.querySelector("[data-active]");
    if (!document.querySelector("[data-live]") || (document.querySelector("[data-ended]") && !active)) return;
    setTimeout(refresh, active ? busy : quiet);
  };

  const all = document.getElementById("pick-all");
  if (all) {
    all.hidden = false;
    all.addEventListener("change", () => {
      for (const box of document.querySelectorAll('input[form="batch"]')) box.checked = all.checked;
    });
  }
  const log = document.getElementById("log-part");
  if (log) toEnd(log, true);
  plan();
})();
