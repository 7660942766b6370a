// Optional: hides the schedule fields that the chosen schedule type does not use.
(() => {
  const kind = document.getElementById("schedule.schedule_type");
  if (!kind) return;
  const used = {
    "": [],
    cron: ["cron_expression", "start_time", "end_time", "timezone", "trading_days_only", "misfire", "misfire_grace_time", "enabled"],
    interval: ["interval_seconds", "start_time", "end_time", "timezone", "trading_days_only", "misfire", "misfire_grace_time", "enabled"],
    once: ["start_time", "timezone", "trading_days_only", "misfire", "misfire_grace_time", "enabled"],
  };
  const show = () => {
    for (const field of document.querySelectorAll('[data-field^="schedule."]')) {
      const name = field.dataset.field.slice("schedule.".length);
      field.hidden = name !== "schedule_type" && !(used[kind.value] || [name]).includes(name);
    }
  };
  kind.addEventListener("change", show);
  show();
})();
