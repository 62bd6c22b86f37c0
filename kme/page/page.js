// SPDX-License-Identifier: Apache-2.0
// Asks /state.json once a second and shows it. Names of SAEs are text of strangers: everything is
// set as text, nothing as markup.
"use strict";
(() => {
  const PERIOD_MS = 1000, LIMIT_MS = 4000, SAMPLES = 300, ROWS_MAX = 100;
  const byId = (id) => document.getElementById(id);
  const history = new Map();
  let paused = false, last = null, answeredAt = null;

  // --- words and numbers ---------------------------------------------------------------------
  const whole = new Intl.NumberFormat("en");
  const UNITS = ["", "k", "M", "G", "T", "P"];
  function scaled(value, unit, base = 1000) {
    let power = 0;
    while (Math.abs(value) >= base && power < UNITS.length - 1) { value /= base; power++; }
    const digits = power === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
    return `${value.toFixed(digits)} ${UNITS[power]}${unit}`;
  }
  const bits = (value) => scaled(value, "bit");
  function duration(seconds) {
    const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    const first = parts.findIndex(([size]) => seconds >= size);
    if (first < 0) return "0 s";
    const [size, unit] = parts[first], next = parts[first + 1];
    const rest = next ? Math.floor(seconds % size / next[0]) : 0;
    return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${next[1]}` : ""}`;
  }
  const micro = (us) => us == null ? "–" : us < 1000 ? `≤ ${us} µs`
    : us < 1e6 ? `≤ ${us / 1000} ms` : `≤ ${us / 1e6} s`;
  const clock = (text) => new Date(text).toLocaleTimeString("en-GB");
  const STATES = {
    local_only: "waits for the peer", peer_only: "waits for the SAE here", both: "open",
    peer_left: "closed here", local_left: "closed by the peer",
  };
  const words = (text) => String(text).replaceAll("_", " ");

  // --- elements ------------------------------------------------------------------------------
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }
  function draw(tag, attributes, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }
  // Replacing what did not change would take the focus and the selection away.
  function show(parent, ...children) {
    const fresh = document.createElement("div");
    fresh.append(...children);
    if (parent.innerHTML !== fresh.innerHTML) parent.replaceChildren(...fresh.childNodes);
  }
  const fact = (name, value) => make("div", {}, make("dt", {}, name), make("dd", {}, value));

  // columns: [name, class, row => text]
  function table(caption, columns, rows) {
    const head = make("tr", {}, ...columns.map(([name, kind]) =>
      make("th", { scope: "col", class: kind === "n" ? "n" : "" }, name)));
    const body = rows.slice(0, ROWS_MAX).map((row) => make("tr", {}, ...columns.map(
      ([name, kind, text]) => {
        const value = text(row);
        return make("td", { class: value === "" ? `${kind} empty` : kind, "data-label": name },
          make("span", {}, value));
      })));
    return make("div", { class: "scroll" },
      make("table", { class: "stack" }, make("caption", { class: "hidden" }, caption),
        make("thead", {}, head), make("tbody", {}, ...body)));
  }

  // --- charts --------------------------------------------------------------------------------
  function remember(key, value) {
    const series = history.get(key) || [];
    series.push(value);
    if (series.length > SAMPLES) series.shift();
    history.set(key, series);
    return series;
  }
  // A line over the last one, two or five minutes, the newest sample at the right edge.
  // what: { kind, name, series, top, topText, text, now, of, threshold }
  function chart({ kind, name, series, top, topText, text, now, of, threshold }) {
    const span = [60, 120, SAMPLES].find((samples) => series.length <= samples) || SAMPLES;
    const width = 300, height = 60, step = width / (span - 1);
    const y = (value) => (height - Math.min(1, Math.max(0, value / top)) * height).toFixed(2);
    const x = (i) => (width - (series.length - 1 - i) * step).toFixed(2);
    const points = series.map((value, i) => `${x(i)},${y(value)}`).join(" ");
    const parts = [0, .5, 1].map((part) =>
      draw("line", { class: "g", x1: 0, x2: width, y1: height * part, y2: height * part }));
    if (threshold != null)
      parts.push(draw("line", { class: "t", x1: 0, x2: width, y1: y(threshold), y2: y(threshold) }));
    if (series.length > 1)
      parts.push(draw("polygon", { class: "a", points: `${x(0)},${height} ${points} ${width},${height}` }),
        draw("polyline", { class: "l", points }));
    return make("div", { class: `chart ${kind}` },
      make("div", { class: "top" }, make("span", { class: "name" }, name),
        make("span", { class: "now" }, now), ...(of ? [make("span", { class: "of" }, of)] : [])),
      make("div", { class: "plot" },
        draw("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img",
          "aria-label": text }, ...parts),
        make("span", { class: "top-mark", "aria-hidden": "true" }, topText)),
      make("div", { class: "span", "aria-hidden": "true" },
        make("span", {}, `${span / 60} min ago`), make("span", {}, "now")));
  }
  const highest = (series) => series.reduce((a, b) => Math.max(a, b), 0);
  const lowest = (series) => series.reduce((a, b) => Math.min(a, b), Infinity);
  function nice(value) {
    const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
    return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value) || 10;
  }

  // --- sections ------------------------------------------------------------------------------
  function linkCard(link) {
    const capacity = Math.max(1, link.capacity_bits), key = `link ${link.peer} `;
    const share = (value) => `${Math.round(Math.min(1, value / capacity) * 100)} %`;
    const levels = history.get(`${key}level`) || [], rates = history.get(`${key}rate`) || [];
    const top = nice(Math.max(highest(rates), link.rate_bps, 1));
    const full = link.stored_bits > 0.99 * link.capacity_bits;
    const lost = Object.entries(link.lost_bits).filter(([, value]) => value > 0);
    const facts = [fact("For initiators here", bits(link.available_bits))];
    if (link.resting_bits) {
      facts.push(fact("At rest on disk", bits(link.resting_bits)));
      facts.push(fact("Open in memory", bits(link.open_bits)));
    }
    facts.push(fact("Generated", bits(link.generated_bits)), fact("Lost", lost.length === 0 ? "none"
      : lost.map(([reason, value]) => `${bits(value)} ${words(reason)}`).join(", ")));
    return make("article", { class: "card" },
      make("div", { class: "head" }, make("h3", {}, `to ${link.peer}`),
        make("span", { class: link.up ? "state" : "state bad" },
          `${link.up ? "up" : "down"} for ${duration(link.for_s)}`)),
      make("div", { class: "charts" },
        chart({
          kind: "fill", name: "Fill level", series: levels, top: capacity, topText: "100 %",
          text: `Fill level ${share(link.stored_bits)}; between ${share(lowest(levels))} and `
            + `${share(highest(levels))} in the time shown`,
          now: share(link.stored_bits),
          of: `${bits(link.stored_bits)} of ${bits(link.capacity_bits)}`,
        }),
        chart({
          kind: "rate", name: "Simulated rate", series: rates, top, topText: `${bits(top)}/s`,
          text: `Simulated rate ${bits(link.measured_rate_bps)} per second, configured `
            + `${bits(link.rate_bps)} per second`,
          now: `${bits(link.measured_rate_bps)}/s`,
          of: full ? "the store is full: it makes what is taken"
            : `configured ${bits(link.rate_bps)}/s`,
          threshold: link.rate_bps,
        })),
      make("dl", { class: "facts" }, ...facts));
  }

  const total = (sae) => ["014", "004"].reduce((sum, api) =>
    sum + sae.delivered[api].initiator + sae.delivered[api].responder, 0);
  function keysCard(state) {
    const series = history.get("keys") || [], perS = series.at(-1) || 0;
    const top = nice(Math.max(highest(series), 10));
    const count = (api, role) => (sae) => whole.format(sae.delivered[api][role]);
    const seen = (sae) => sae.last_seen_s == null ? "never"
      : sae.last_seen_s < 2 ? "now" : `${duration(sae.last_seen_s)} ago`;
    const rate = (sae) => (history.get(`sae ${sae.sae}`) || []).at(-1) || 0;
    const parts = [
      chart({
        kind: "fill", name: "Keys to all SAEs of this site", series, top,
        topText: `${whole.format(top)}/s`,
        text: `${whole.format(perS)} keys per second; at most ${whole.format(highest(series))} `
          + "in the time shown",
        now: `${whole.format(perS)}/s`, of: "",
      }),
      table("Keys delivered to each SAE", [
        ["SAE", "wide", (sae) => sae.sae],
        ["014 initiator", "n", count("014", "initiator")],
        ["014 responder", "n", count("014", "responder")],
        ["004 initiator", "n", count("004", "initiator")],
        ["004 responder", "n", count("004", "responder")],
        ["Now", "n", (sae) => `${whole.format(rate(sae))}/s`],
        ["Last seen", "nowrap", seen],
      ], [...state.saes].sort((a, b) => a.sae < b.sae ? -1 : a.sae > b.sae ? 1 : 0))];
    const shown = Math.min(state.saes.length, ROWS_MAX);
    if (shown < state.saes_total)
      parts.push(make("p", { class: "note" }, `${shown} of ${whole.format(state.saes_total)} SAEs.`));
    return parts;
  }

  function streamsCard(streams) {
    const states = Object.entries(streams.states).filter(([, count]) => count > 0)
      .map(([state, count]) => `${whole.format(count)} ${STATES[state] || words(state)}`).join(", ");
    if (streams.total === 0) return [make("p", { class: "note" }, "No key stream is open.")];
    const shown = Math.min(streams.newest.length, ROWS_MAX);
    return [make("p", { class: "note" }, `${states}.`
      + (shown < streams.total ? ` The newest ${shown}:` : "")),
    table("Key streams, newest first", [
      ["SAE here", "wide", (one) => one.sae],
      ["Peer", "wide", (one) => one.peer],
      ["State", "nowrap", (one) => STATES[one.state] || words(one.state)],
      ["Delivered", "n", (one) => whole.format(one.delivered)],
      ["Age", "n", (one) => duration(one.age_s)],
      ["Key_stream_ID", "id", (one) => one.Key_stream_ID],
    ], streams.newest)];
  }

  function errorsCard(errors) {
    if (errors.length === 0) return [make("p", { class: "note" }, "None since the start.")];
    return [table("Recent errors, newest first", [
      ["Time", "nowrap", (one) => clock(one.time)],
      ["Who", "wide", (one) => one.sae || (one.event === "link_down" ? `link to ${one.peer}` : "–")],
      ["What", "nowrap", (one) => one.method ? `${one.api || ""} ${one.method}` : words(one.event)],
      ["Outcome", "wide", (one) => words(one.outcome)],
      ["Times", "n", (one) => whole.format(one.count)],
      ["From", "nowrap", (one) => one.remote || ""],
    ], errors)];
  }

  function requestsCard(requests) {
    const used = requests.filter((one) => one.answered + one.refused > 0);
    if (used.length === 0) return [make("p", { class: "note" }, "No request so far.")];
    return [table("Requests by method", [
      ["Method", "nowrap", (one) => `${one.api} ${one.method}`],
      ["Answered", "n", (one) => whole.format(one.answered)],
      ["Refused", "n", (one) => whole.format(one.refused)],
      ["Half took", "n", (one) => micro(one.p50_us)],
      ["99 of 100 took", "n", (one) => micro(one.p99_us)],
      ["Had to wait", "n", (one) => whole.format(one.held)],
    ], used)];
  }

  function footFacts(state) {
    const { process, store } = state, audit = state.audit_log;
    const facts = [fact("Up for", duration(state.uptime_ms / 1000)),
      fact("Store", `${store.kind}${store.sealed ? ", sealed" : ""}${store.failure ? ", FAILED" : ""}`),
      fact("Memory", process.resident_bytes == null ? "unknown" : scaled(process.resident_bytes, "B", 1024)),
      fact("Descriptors", process.descriptors == null ? "unknown" : whole.format(process.descriptors)),
      fact("Audit log", audit.open ? audit.lost_lines ? `${whole.format(audit.lost_lines)} lines lost` : "written" : "off")];
    return facts;
  }

  // --- the loop ------------------------------------------------------------------------------
  // Figures per second come from two answers; the key server's own clock tells them apart.
  function sample(state) {
    const seconds = last ? (state.uptime_ms - last.uptime_ms) / 1000 : 0;
    for (const link of state.links) {
      remember(`link ${link.peer} level`, link.stored_bits);
      remember(`link ${link.peer} rate`, link.measured_rate_bps);
    }
    if (seconds <= 0) return;
    const before = new Map(last.saes.map((sae) => [sae.sae, total(sae)]));
    let sum = 0;
    for (const sae of state.saes) {
      const more = Math.max(0, total(sae) - (before.get(sae.sae) ?? total(sae)));
      history.set(`sae ${sae.sae}`, [Math.round(more / seconds)]);
      sum += more;
    }
    remember("keys", Math.round(sum / seconds));
  }

  // A rule says what it is about in its other members.
  function misbehaviour(rules) {
    return rules.map((rule) => {
      const { kind, sae, api, rule: number, origin, asked, happened, ...rest } = rule;
      const more = Object.entries(rest).map(([name, value]) => `${words(name)} ${value}`).join(", ");
      return make("li", {}, `${words(kind)}${more ? ` (${more})` : ""}: ${sae || "every SAE"}`
        + `${api ? `, ETSI ${api}` : ""}; ${whole.format(happened)} times so far`);
    });
  }
  function showMisbehaviour(rules) {
    byId("misbehaves").hidden = rules.length === 0;
    show(byId("rules"), ...misbehaviour(rules));
  }

  function showHealth(state) {
    const health = byId("health"), ok = state.health.ok;
    const text = ok ? "keys flow" : state.health.reasons.join("; ");
    health.className = ok ? "pill good" : "pill bad";
    if (health.textContent !== text) health.textContent = text;
  }

  function render(state) {
    document.title = `${state.kme_id} – simulated QKD key server`;
    byId("kme").textContent = state.kme_id;
    byId("about").textContent = `qkd-kme ${state.version}, up for ${duration(state.uptime_ms / 1000)}`;
    showHealth(state);
    showMisbehaviour(state.misbehave || []);
    show(byId("links"), ...state.links.map(linkCard));
    show(byId("keys"), ...keysCard(state));
    show(byId("errors"), ...errorsCard(state.errors));
    show(byId("streams"), ...streamsCard(state.streams));
    show(byId("requests"), ...requestsCard(state.requests));
    show(byId("foot"), ...footFacts(state));
  }

  function showGone(reason) {
    const gone = byId("gone"), since = answeredAt ? ` Last answer at ${answeredAt.toLocaleTimeString("en-GB")}.` : "";
    const text = `The key server does not answer: ${reason}.${since}`;
    document.body.classList.add("stale");
    if (gone.textContent !== text) gone.textContent = text;
    gone.hidden = false;
    byId("health").className = "pill bad";
    byId("health").textContent = "no answer";
  }

  async function ask() {
    const stop = new AbortController(), timer = setTimeout(() => stop.abort(), LIMIT_MS);
    try {
      const answer = await fetch("state.json", { signal: stop.signal, cache: "no-store" });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const state = await answer.json();
      // A key server that started again counts from 0.
      if (last && state.uptime_ms < last.uptime_ms) history.clear(), last = null;
      sample(state);
      last = state;
      answeredAt = new Date();
      render(state);
      byId("gone").hidden = true;
      document.body.classList.remove("stale");
    } catch (error) {
      showGone(error.name === "AbortError" ? `nothing came within ${LIMIT_MS / 1000} s`
        : error instanceof TypeError ? "no connection" : error.message);
    } finally {
      clearTimeout(timer);
    }
  }

  async function loop() {
    for (;;) {
      const begin = performance.now();
      if (!paused && !document.hidden) await ask();
      await new Promise((done) => setTimeout(done, Math.max(100, PERIOD_MS - (performance.now() - begin))));
    }
  }

  byId("pause").addEventListener("click", () => {
    paused = !paused;
    byId("pause").setAttribute("aria-pressed", String(paused));
    byId("pause").textContent = paused ? "Go on" : "Pause";
  });
  loop();
})();
