// The search's suggestions, on every page; the charts of a security and of a backtest.
// A number with four digits and its unit, as people write it.
const inUnits = (value, chinese) => {
  if (value === null || value === undefined) return "–";
  const units = chinese ? [[1e12, "万亿"], [1e8, "亿"], [1e4, "万"]] : [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];
  const [size, word] = units.find(([unit]) => Math.abs(value) >= unit) ?? [1, ""];
  return `${Number((value / size).toPrecision(4))}${word && " "}${word}`;
};

(() => {
  const input = document.querySelector(".finder input");
  const list = document.getElementById("suggestions");
  if (!input || !list) return;
  let asked = 0;
  input.addEventListener("input", async () => {
    const number = ++asked;
    const text = input.value.trim();
    if (!text) return list.replaceChildren();
    const response = await fetch(`/market/suggest.json?q=${encodeURIComponent(text)}`).catch(() => null);
    if (!response?.ok || number !== asked) return;
    list.replaceChildren(...(await response.json()).map(({ symbol, name }) => new Option(name, symbol)));
  });
})();

(() => {
  const root = document.getElementById("chart");
  if (!root || !window.LightweightCharts) return;
  const style = getComputedStyle(document.documentElement);
  const shades = new Map();
  // Asked once for each drawing, not once for each bar: the browser computes its styles again for each question.
  const colour = (name) => shades.get(name) ?? shades.set(name, style.getPropertyValue(name).trim()).get(name);
  const lines = ["#b8860b", "#3b6fd8", "#9b3fb5", "#2a8f8f", "#c0562f", "#5f6b7a"];
  const words = JSON.parse(root.dataset.words);
  const chinese = root.dataset.language === "zh";
  const panes = root.querySelector(".panes");
  const message = root.querySelector(".state");
  const chosen = { period: "daily", adjustment: "qfq", indicators: new Set(["MA", "MACD"]), marks: new Set(["ex"]), formula: "" };
  if (root.dataset.backtest) chosen.marks.add("trades");
  const FIRST_BARS = 500;
  let asked = 0;
  let charts = [];
  let data = null;
  let place = new Map();

  const short = (value) => inUnits(value, chinese);
  const seconds = (day) => Date.UTC(day.slice(0, 4), day.slice(5, 7) - 1, day.slice(8, 10)) / 1000;
  const fixed = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
  const points = (values) => data.times.map((time, i) => (values[i] === null ? { time } : { time, value: values[i] }));

  const options = () => ({
    autoSize: true,
    layout: { background: { color: colour("--page") }, textColor: colour("--quiet"), fontSize: 11 },
    grid: { vertLines: { color: colour("--soft") }, horzLines: { color: colour("--soft") } },
    rightPriceScale: { borderColor: colour("--line"), minimumWidth: 70 },
    timeScale: { borderColor: colour("--line"), minBarSpacing: 0.05 },
    crosshair: { mode: LightweightCharts.CrosshairMode.Normal },
    localization: { locale: chinese ? "zh-CN" : "en", dateFormat: "yyyy-MM-dd" },
  });

  const pane = (label) => {
    const box = document.createElement("div");
    box.className = "pane";
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", label);
    const legend = document.createElement("div");
    legend.className = "legend";
    const drawing = document.createElement("div");
    drawing.className = "drawing";
    box.append(legend, drawing);
    panes.append(box);
    const chart = LightweightCharts.createChart(drawing, options());
    charts.push({ chart, legend, series: [], parts: [], fills: [] });
    return charts.at(-1);
  };

  // Its values are asked for whenever it is filled: first with the newest bars, then with all.
  const add = (target, series, make) => {
    target.series.push(series);
    target.fills.push(() => series.setData(make()));
  };
  const fill = () => {
    place = new Map(data.times.map((time, i) => [time, i]));
    charts.forEach(({ fills }) => fills.forEach((one) => one()));
    charts[0].series[0].setMarkers(markers());
  };

  // What depends on later days is dashed: its newest values will change.
  const line = (target, name, values, shade, ahead) => {
    target.parts.push({ name, values, shade, ahead });
    const lineStyle = ahead ? LightweightCharts.LineStyle.Dashed : LightweightCharts.LineStyle.Solid;
    const series = target.chart.addLineSeries({ color: shade, lineWidth: 1, lineStyle, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false });
    add(target, series, () => points(values()));
  };

  const bars = (target, name, values) => {
    const series = target.chart.addHistogramSeries({ priceLineVisible: false, lastValueVisible: false });
    const [up, down] = [colour("--up"), colour("--down")];
    target.parts.push({ name, values, shade: colour("--quiet") });
    add(target, series, () => {
      const own = values();
      return data.times.map((time, i) => (own[i] === null ? { time } : { time, value: own[i], color: own[i] >= 0 ? up : down }));
    });
  };

  const draw = () => {
    const range = charts[0]?.chart.timeScale().getVisibleLogicalRange();
    charts.forEach(({ chart }) => chart.remove());
    charts = [];
    shades.clear();
    panes.replaceChildren();
    const main = pane(`${data.name} ${data.symbol}`);
    const candles = main.chart.addCandlestickSeries({ upColor: colour("--page"), borderUpColor: colour("--up"), wickUpColor: colour("--up"), downColor: colour("--down"), borderDownColor: colour("--down"), wickDownColor: colour("--down"), priceLineVisible: false });
    candles.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: 0.22 } });
    add(main, candles, () => data.times.map((time, i) => ({ time, open: data.open[i], high: data.high[i], low: data.low[i], close: data.close[i] })));
    const volume = main.chart.addHistogramSeries({ priceScaleId: "volume", priceFormat: { type: "volume" }, priceLineVisible: false, lastValueVisible: false });
    const [rise, fall] = [`${colour("--up")}88`, `${colour("--down")}88`];
    main.fills.push(() => volume.setData(data.times.map((time, i) => ({ time, value: data.volume[i] ?? 0, color: data.close[i] >= data.open[i] ? rise : fall }))));
    main.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    for (const [name, { overlay, columns, looks_ahead }] of Object.entries(data.indicators)) {
      const target = overlay ? main : pane(name);
      Object.keys(columns).forEach((column, i) => {
        const values = () => data.indicators[name].columns[column];
        if (column === "macd") bars(target, column, values);
        else line(target, column, values, lines[(overlay ? main.parts.length : i) % lines.length], looks_ahead.includes(column));
      });
    }
    fill();
    follow();
    if (range) charts[0].chart.timeScale().setVisibleLogicalRange(range);
    else charts[0].chart.timeScale().setVisibleLogicalRange({ from: data.dates.length - 160, to: data.dates.length + 3 });
    legends(data.dates.length - 1);
  };

  const markers = () => {
    const shown = data.marks.filter(({ kind }) => (kind === "ex" ? chosen.marks.has("ex") : kind === "buy" || kind === "sell" ? chosen.marks.has("signals") : chosen.marks.has("trades")));
    return shown.map(({ date, kind, text }) => {
      const buys = kind === "buy" || kind === "bought";
      const time = seconds(date);
      if (kind === "ex") return { time, position: "aboveBar", shape: "circle", color: "#b8860b", size: 0.5, text: text || "除" };
      return { time, position: buys ? "belowBar" : "aboveBar", shape: buys ? "arrowUp" : "arrowDown", color: buys ? colour("--up") : colour("--down"), text };
    });
  };

  // All panes show the same days and the same crosshair.
  const follow = () => {
    charts.forEach(({ chart }, i) => {
      chart.timeScale().applyOptions({ visible: i === charts.length - 1 });
      chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
        if (range) charts.forEach(({ chart: other }) => other !== chart && other.timeScale().setVisibleLogicalRange(range));
      });
      chart.subscribeCrosshairMove(({ time, sourceEvent }) => {
        legends(place.get(time) ?? data.dates.length - 1);
        if (!sourceEvent) return;
        for (const { chart: other, series } of charts) {
          if (other === chart) continue;
          if (time === undefined || !series.length) other.clearCrosshairPosition();
          else other.setCrosshairPosition(Number.NaN, time, series[0]);
        }
      });
    });
  };

  // Of the indicator's own name and an output's, as in macd_dif, a legend needs the output's.
  const short_name = (name) => {
    const [first, ...rest] = name.toUpperCase().split("_");
    return rest.length && data.indicators[first] ? rest.join("_") : name.toUpperCase();
  };

  const legends = (i) => {
    const item = (text, shade) => {
      const span = document.createElement("span");
      span.textContent = text;
      if (shade) span.style.color = shade;
      return span;
    };
    charts.forEach(({ legend, parts }, number) => {
      const items = parts.map(({ name, values, shade, ahead }) => item(`${short_name(name)}${ahead ? ` (${words.ahead})` : ""} ${fixed(values()[i])}`, shade));
      if (number === 0) {
        const before = i ? data.close[i - 1] : null;
        const change = before ? (data.close[i] / before - 1) * 100 : null;
        const shade = change === null || change === 0 ? "" : colour(change > 0 ? "--up" : "--down");
        items.unshift(
          item(data.dates[i]),
          ...["open", "high", "low", "close"].map((name) => item(`${words[name]} ${fixed(data[name][i])}`, shade)),
          item(`${words.change} ${change === null ? "–" : `${change > 0 ? "+" : ""}${change.toFixed(2)}%`}`, shade),
          item(`${words.volume} ${short(data.volume[i])}`),
          item(`${words.amount} ${short(data.amount[i])}`),
        );
      }
      legend.replaceChildren(...items);
    });
  };

  // The same chart with its newest bars only: they are what is seen first, and are drawn in a fraction of the time.
  const newest = (whole, count) => {
    const cut = (values) => values.slice(-count);
    const columns = (all) => Object.fromEntries(Object.entries(all).map(([name, values]) => [name, cut(values)]));
    const prices = columns(Object.fromEntries(["dates", "times", "open", "high", "low", "close", "volume", "amount"].map((name) => [name, whole[name]])));
    const indicators = Object.fromEntries(Object.entries(whole.indicators).map(([name, own]) => [name, { ...own, columns: columns(own.columns) }]));
    return { ...whole, ...prices, indicators, marks: whole.marks.filter(({ date }) => date >= prices.dates[0]) };
  };
  const extend = (whole) => {
    const [scale, before] = [charts[0].chart.timeScale(), whole.dates.length - data.dates.length];
    const range = scale.getVisibleLogicalRange();
    data = whole;
    fill();
    if (range) scale.setVisibleLogicalRange({ from: range.from + before, to: range.to + before });
    legends(data.dates.length - 1);
    root.dataset.whole = "true";
  };

  const load = async () => {
    const query = new URLSearchParams({ period: chosen.period, adjustment: chosen.adjustment, indicators: [...chosen.indicators].join(","), formula: chosen.formula, backtest: root.dataset.backtest });
    const number = ++asked;
    // The page asks for the first chart before this script is there.
    const early = number === 1 ? document.querySelector('link[as="fetch"]')?.href : null;
    const response = await fetch(early ?? `${root.dataset.source}?${query}`).catch(() => null);
    const body = await response?.json().catch(() => null);
    if (!response?.ok || !body) {
      message.textContent = root.dataset.failed + (body?.message ?? response?.status ?? "");
      return;
    }
    body.times = body.dates.map(seconds); // the chart library would read each text again for each line
    data = charts.length || body.dates.length <= FIRST_BARS ? body : newest(body, FIRST_BARS);
    message.textContent = data.dates.length ? "" : root.dataset.empty;
    if (data.dates.length) draw();
    root.dataset.ready = "true";
    if (data.dates.length) requestAnimationFrame(() => setTimeout(() => number === asked && data !== body && extend(body)));
  };

  root.querySelector(".tools").addEventListener("click", ({ target }) => {
    const choice = target.closest("button")?.parentElement.dataset.choice;
    if (!choice || !data) return;
    if (chosen[choice] instanceof Set) {
      const on = !chosen[choice].has(target.value);
      if (on) chosen[choice].add(target.value);
      else chosen[choice].delete(target.value);
      target.setAttribute("aria-pressed", String(on));
      if (choice === "indicators") load();
      else draw();
      return;
    }
    chosen[choice] = target.value;
    for (const button of target.parentElement.children) button.setAttribute("aria-pressed", String(button === target));
    if (choice === "period") charts[0]?.chart.timeScale().fitContent();
    load();
  });
  root.querySelector(".add").addEventListener("change", ({ target }) => {
    if (!target.value) return;
    const button = document.createElement("button");
    button.type = "button";
    button.value = button.textContent = target.value;
    button.setAttribute("aria-pressed", "true");
    root.querySelector('[data-choice="indicators"]').append(button);
    chosen.indicators.add(target.value);
    target.selectedOptions[0].remove();
    target.value = "";
    load();
  });
  root.querySelector(".formula").addEventListener("submit", (event) => {
    event.preventDefault();
    chosen.formula = event.target.elements.formula.value;
    load();
  });
  load();
})();

(() => {
  const root = document.getElementById("curve");
  if (!root || !window.LightweightCharts) return;
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const panes = root.querySelector(".panes");
  const message = root.querySelector(".state");
  const chinese = root.dataset.language === "zh";
  const money = (value) => inUnits(value, chinese);
  const percent = (value) => `${value.toFixed(1)}%`;
  const draw = (data) => {
    const charts = [["equity", "benchmark"], ["drawdown"]].map((names, place) => {
      const box = document.createElement("div");
      box.className = "pane";
      const legend = document.createElement("div");
      legend.className = "legend";
      const drawing = document.createElement("div");
      drawing.className = "drawing";
      box.append(legend, drawing);
      panes.append(box);
      const chart = LightweightCharts.createChart(drawing, {
        autoSize: true,
        layout: { background: { color: colour("--page") }, textColor: colour("--quiet"), fontSize: 11 },
        grid: { vertLines: { color: colour("--soft") }, horzLines: { color: colour("--soft") } },
        rightPriceScale: { borderColor: colour("--line"), minimumWidth: 80 },
        timeScale: { borderColor: colour("--line"), minBarSpacing: 0.05, visible: place === 1 },
        localization: { locale: chinese ? "zh-CN" : "en", dateFormat: "yyyy-MM-dd", priceFormatter: place ? percent : money },
      });
      const shades = { equity: colour("--main"), benchmark: "#b8860b", drawdown: colour("--down") };
      for (const name of names.filter((part) => data[part].some((value) => value !== null))) {
        const add = name === "drawdown" ? "addAreaSeries" : "addLineSeries";
        const series = chart[add]({ color: shades[name], lineColor: shades[name], topColor: `${shades[name]}11`, bottomColor: `${shades[name]}66`, invertFilledArea: true, lineWidth: 2, priceLineVisible: false });
        series.setData(data.dates.map((time, i) => (data[name][i] === null ? { time } : { time, value: data[name][i] })));
        const label = document.createElement("span");
        label.textContent = root.dataset[name];
        label.style.color = shades[name];
        legend.append(label);
      }
      chart.timeScale().fitContent();
      return chart;
    });
    charts.forEach((chart) =>
      chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
        if (range) charts.forEach((other) => other !== chart && other.timeScale().setVisibleLogicalRange(range));
      }),
    );
  };
  fetch(root.dataset.source)
    .then(async (response) => {
      const body = await response.json();
      if (!response.ok) throw new Error(body.message);
      message.textContent = "";
      draw(body);
      root.dataset.ready = "true";
    })
    .catch((error) => {
      message.textContent = root.dataset.failed + error.message;
    });
})();
