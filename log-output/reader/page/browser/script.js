
'use strict';

// Asks for the page as JSON, at the rate that the viewer chooses, and shows who answered and whether the
// numbers are what they have to be. Each ask is one ping. Nothing is sent until the viewer says so.

const WINDOW_MS = 60000;        // what shares and latency are of
const TIMEOUT_MS = 10000;       // for one answer
const IN_FLIGHT_MAX = 24;       // beyond it a ping is left out: the browser sends only some at a time
const REMEMBERED_MAX = 200000;  // numbers; an older one that comes again is still "backwards"
const FORMS = 6;                // versions that have a colour and a form of their own
const FAILING_MS = 5000;        // how long a failure counts as going on
const ANNOUNCE_MS = 6000;       // the least time between two things that are read out

const byId = (id) => document.getElementById(id);

let rate = 0;                   // a second
let timer = 0;
let dueAt = 0;                  // of the next ping
let inFlight = 0;
let recent = [];                // the answers of the last minute, the oldest first
let seen = new Set();           // the numbers, in the order in which they came
let highest = -1n;              // the largest number that has come
let totals = {answered: 0, failed: 0, repeated: 0, backwards: 0};
let latest = null;              // the last page that came
let lastFailure = null;         // an answer's record
let failing = false;            // one came within the last FAILING_MS
const versions = new Map();     // from a version's key to the index of its colour and form

// -- asking ------------------------------------------------------------------------------------------

// The page is asked for where it came from. "/" counts nothing, so from there it is its neighbour; so it
// is, too, where a path without a slash at its end turns out to be such a root behind a prefix.
let address = location.pathname.endsWith('/') ? location.pathname + 'log-output' : location.pathname;

async function request() {
  const options = {headers: {Accept: 'application/json'}, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS)};
  const response = await fetch(address, options);
  const text = await response.text();
  if (text === 'OK' && !address.endsWith('/log-output')) {
    address += '/log-output';
    return request();
  }
  return {status: response.status, text};
}

// Numbers may be larger than JavaScript's are exact: the digits are taken as they stand. Within a JSON
// string the quote before the colon would have a backslash before it.
function parseAnswer({status, text}) {
  let page = null;
  try {
    page = JSON.parse(text);
  } catch {
    return {error: `status ${status}, and no JSON`};
  }
  const digits = /"pong":(\d+)/.exec(text);
  if (status === 200 && digits)
    return {page, number: BigInt(digits[1])};
  return {page: page.missing ? page : null, error: page.missing?.pong ?? page.error ?? `status ${status}`};
}

async function ping() {
  if (inFlight >= IN_FLIGHT_MAX)
    return;
  const sentAt = performance.now();
  const floor = highest;        // acknowledged before this one is sent
  let answer;
  inFlight += 1;
  try {
    answer = parseAnswer(await request());
  } catch (problem) {
    answer = {error: problem.name === 'TimeoutError' ? `no answer within ${TIMEOUT_MS / 1000} s` : 'no answer'};
  }
  inFlight -= 1;
  take(answer, floor, performance.now() - sentAt);
}

// One timer, set anew for each ping, and by the clock, so that the rate is kept. What was missed while the
// browser slept is not made up for.
function tick() {
  const now = performance.now();
  ping();
  dueAt = Math.max(dueAt + 1000 / rate, now - 200);
  timer = setTimeout(tick, Math.max(0, dueAt - now));
}

function setRate(value) {
  rate = value;
  clearTimeout(timer);
  byId('rate').value = rate;
  byId('rate-shown').textContent = rate ? `${rate} / s` : 'off';
  byId('rate').setAttribute('aria-valuetext', rate ? `${rate} a second` : 'off');
  byId('stop').disabled = rate === 0;
  if (rate) {
    dueAt = performance.now();
    tick();
  }
}

// -- judging -----------------------------------------------------------------------------------------

// Answers may overtake each other, so a number smaller than the one before is as it should be. One that is
// not larger than a number which was here before its ping was sent is not.
function judge(number, floor) {
  if (seen.has(number))
    return 'repeated';
  return number <= floor ? 'backwards' : '';
}

function remember(number) {
  seen.add(number);
  if (seen.size > REMEMBERED_MAX)
    seen.delete(seen.values().next().value);
  if (number > highest)
    highest = number;
}

function shout(verdict, number, floor) {
  const text = verdict === 'repeated' ? `Number ${number} was given twice!` : `Number ${number} came after ${floor}!`;
  const times = totals.repeated + totals.backwards;
  byId('alarm').textContent = times > 1 ? `${text} (${times} such answers)` : text;
  announce(text, 'shouted');
}

function take(answer, floor, ms) {
  const who = answer.page?.answered_by?.pingpong ?? null;
  const record = {at: performance.now(), clock: new Date(), ms, who, number: answer.number, error: answer.error,
    reader: answer.page?.answered_by?.reader ?? null, version: versionOf(who), verdict: ''};
  if (answer.page)
    latest = answer.page;
  if (answer.error) {
    totals.failed += 1;
    lastFailure = record;
  } else {
    totals.answered += 1;
    latest.number = answer.number;
    record.verdict = judge(answer.number, floor);
    remember(answer.number);
    if (record.verdict) {
      totals[record.verdict] += 1;
      shout(record.verdict, answer.number, floor);
    }
  }
  recent.push(record);
  addDot(record);
  wantShown();
}

// -- versions ----------------------------------------------------------------------------------------

// Pods of one version differ in their names' last part. The part before it is the hash of their template,
// which tells a pod with other settings, though of the same build, from the rest.
const POD = /-([bcdfghjklmnpqrstvwxz2456789]{6,10})-[bcdfghjklmnpqrstvwxz2456789]{5}$/;

function versionOf(who) {
  if (!who)
    return null;
  const template = POD.exec(who.instance)?.[1] ?? '';
  const key = `${who.version} ${who.commit} ${template}`;
  if (!versions.has(key)) {
    const taken = [...versions.values()].map((version) => version.index);
    let index = 0;
    while (taken.includes(index) && index < FORMS - 1)
      index += 1;
    versions.set(key, {key, index, number: who.version, detail: template || who.commit});
    announce(`Version ${who.version} ${template || who.commit} answers.`);
  }
  return versions.get(key);
}

// A version that is gone leaves its colour to the next.
function forgetOld(now) {
  recent = recent.filter((record) => now - record.at < WINDOW_MS);
  for (const version of versions.values())
    if (!recent.some((record) => record.version === version))
      versions.delete(version.key);
}

// -- the marks ---------------------------------------------------------------------------------------

const columns = byId('columns');
const recordOf = new WeakMap();  // from a mark to its answer

function newColumn() {
  const column = document.createElement('div');
  column.className = 'second';
  columns.append(column);
}

function clearColumns() {
  columns.replaceChildren();
  for (let i = 0; i < columnCount(); i += 1)
    newColumn();
}

const columnCount = () => (columns.clientWidth < 500 ? 30 : 60);

function describe(record) {
  const who = record.who ? `version ${record.version.number} on ${record.who.instance}` : 'no pingpong known';
  const via = record.reader ? ` via ${record.reader.instance}` : '';
  const what = record.error ? `failed: ${record.error}` : `number ${record.number}`;
  const note = record.verdict ? `, ${record.verdict}!` : '';
  return `${what}${note} · ${who}${via} · ${milliseconds(record.ms)} · ${record.clock.toLocaleTimeString()}`;
}

// Failures lie on top of the versions, in the order of their colours: a column is a bar of shares.
function addDot(record) {
  const dot = document.createElement('button');
  const form = record.verdict ? 'wrong' : record.error ? 'failed' : record.version ? `v${record.version.index}` : 'v5';
  dot.type = 'button';
  dot.className = `dot ${form}`;
  dot.tabIndex = -1;
  dot.style.order = form === 'wrong' ? 9 : form === 'failed' ? 8 : form.slice(1);
  dot.setAttribute('aria-label', describe(record));
  recordOf.set(dot, record);
  columns.lastElementChild.append(dot);
  if (!columns.querySelector('[tabindex="0"]'))
    dot.tabIndex = 0;
}

// As large as fits, so that the last row can see them.
function sizeDots() {
  const most = Math.max(1, ...[...columns.children].map((column) => column.childElementCount));
  const width = columns.clientWidth / columnCount(), height = columns.clientHeight;
  let size = Math.min(width, 20);
  while (size > 3 && Math.ceil(most / Math.floor(width / size)) * size > height)
    size -= 0.5;
  columns.style.setProperty('--dot', `${size}px`);
}

// Once a second the columns move on. What the viewer looks at stays until the next second.
function advance() {
  newColumn();
  while (columns.childElementCount > columnCount()) {
    const lost = columns.firstElementChild.contains(document.activeElement);
    columns.firstElementChild.remove();
    const first = columns.querySelector('.dot');
    if (first && !columns.querySelector('[tabindex="0"]'))
      first.tabIndex = 0;
    if (lost)
      first?.focus();
  }
  sizeDots();
}

function showDetail(event) {
  const record = recordOf.get(event.target);
  if (record)
    byId('detail').textContent = describe(record);
}

function moveFocus(event) {
  const dots = [...columns.querySelectorAll('.dot')];
  const steps = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: 1, ArrowDown: -1, Home: -dots.length, End: dots.length};
  const step = steps[event.key];
  if (!step || !dots.length)
    return;
  const at = Math.min(dots.length - 1, Math.max(0, dots.indexOf(document.activeElement) + step));
  columns.querySelector('[tabindex="0"]').tabIndex = -1;
  dots[at].tabIndex = 0;
  dots[at].focus();
  event.preventDefault();
}

// -- shares, latency, integrity ----------------------------------------------------------------------

const milliseconds = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`);
const percent = (part, whole) => `${Math.round(100 * part / whole)} %`;

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

function countBy(records, keyOf) {
  const counts = new Map();
  for (const record of records)
    counts.set(keyOf(record), (counts.get(keyOf(record)) ?? 0) + 1);
  return counts;
}

// Of a pod whose version is known, the last part says which it is.
const shortName = (instance) => (POD.test(instance) ? instance.slice(-5) : instance);

function shareRow(version, records) {
  const form = version ? `v${version.index}` : 'failed';
  const failed = records.filter((record) => record.error).length;
  const bar = element('i', form);
  bar.style.width = `${100 * records.length / recent.length}%`;
  const name = element('span', 'name', version ? `${version.number} ` : 'nobody ',
    element('small', '', version ? version.detail : 'no answer of pingpong’s'));
  if (version && failed)
    name.append(element('span', 'count', ` ${failed} failed`));
  const pods = [...countBy(records, (record) => shortName(record.who?.instance ?? ''))].sort();
  const list = element('ul', 'pods', ...pods.map(([pod, count]) => element('li', '', `${pod} ${percent(count, recent.length)}`)));
  return element('div', 'share', element('span', `mark ${form}`), name,
    element('span', 'percent', percent(records.length, recent.length)), element('div', 'bar', bar), ...(version ? [list] : []));
}

function showShares() {
  const groups = [...versions.values()].sort((a, b) => a.index - b.index);
  const rows = [...groups, null].map((version) => [version, recent.filter((record) => record.version === version)])
    .filter(([, records]) => records.length).map(([version, records]) => shareRow(version, records));
  byId('shares').replaceChildren(...(rows.length ? rows : [element('p', 'empty', 'No answer in the last minute.')]));
}

// The value that a share of all is not above.
function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

// The median of each second, from the oldest to the newest; undefined where there was no answer.
function mediansBySecond(now) {
  const seconds = Array.from({length: WINDOW_MS / 1000}, () => []);
  for (const record of recent)
    if (!record.error)
      seconds[seconds.length - 1 - Math.floor((now - record.at) / 1000)]?.push(record.ms);
  return seconds.map((times) => quantile(times.sort((a, b) => a - b), 0.5));
}

function showSpark(now) {
  const medians = mediansBySecond(now);
  const top = Math.max(1, ...medians.filter((ms) => ms !== undefined));
  const points = medians.map((ms, second) => ms === undefined ? '' : `${second * 300 / (medians.length - 1)},${57 - 54 * ms / top}`);
  byId('spark').firstElementChild.setAttribute('points', points.filter(Boolean).join(' '));
  byId('spark').setAttribute('aria-label', `Median latency of each second of the last minute, at most ${milliseconds(top)}`);
}

function showLatency(now) {
  const times = recent.filter((record) => !record.error).map((record) => record.ms).sort((a, b) => a - b);
  byId('median').textContent = times.length ? milliseconds(quantile(times, 0.5)) : '–';
  byId('p99').textContent = times.length ? milliseconds(quantile(times, 0.99)) : '–';
  const last = recent.filter((record) => now - record.at < 5000 && !record.error).length / 5;
  byId('pace').firstChild.textContent = `${last < 10 && last % 1 ? last.toFixed(1) : last.toFixed(0)} `;
  showSpark(now);
}

function showIntegrity() {
  for (const [name, count] of Object.entries(totals))
    byId(name).textContent = count.toLocaleString();
  byId('failed').classList.toggle('bad', totals.failed > 0);
  byId('repeated').classList.toggle('bad', totals.repeated > 0);
  byId('backwards').classList.toggle('bad', totals.backwards > 0);
}

// As curl sees them.
function showLines() {
  if (!latest)
    return;
  const {file, message, timestamp, hash, missing, number} = latest;
  const lines = [
    `file content: ${file ?? `not available: ${missing.file}`}`,
    `env variable: ${message === null ? 'MESSAGE is not set' : `MESSAGE=${message}`}`,
    timestamp === null ? `timestamp: not available: ${missing.timestamp}`
      : `${timestamp}: ${hash}${missing.timestamp ? ` (${missing.timestamp})` : ''}`,
    `Ping / Pongs: ${number ?? `not available: ${missing.pong}`}`,
  ];
  byId('lines').replaceChildren(...lines.map((line) => element('p', '', line)));
}

let shownAt = 0;

function show() {
  const now = performance.now();
  shownAt = now;
  forgetOld(now);
  showLines();
  showShares();
  showLatency(now);
  showIntegrity();
  showFailure(now);
  sizeDots();
}

// Ten times a second is all that eyes can use.
let showTimer = 0;
function wantShown() {
  if (!showTimer)
    showTimer = setTimeout(() => { showTimer = 0; show(); }, Math.max(0, shownAt + 100 - performance.now()));
}

// -- what is said aloud ------------------------------------------------------------------------------

// A screen reader is told what changes, not each answer, and only the latest of what comes too fast.
const announcements = {status: {at: -ANNOUNCE_MS, timer: 0}, shouted: {at: -ANNOUNCE_MS, timer: 0}};

function announce(text, region = 'status') {
  const last = announcements[region];
  clearTimeout(last.timer);
  last.timer = setTimeout(() => {
    last.at = performance.now();
    byId(region).textContent = text;
  }, Math.max(700, last.at + ANNOUNCE_MS - performance.now()));
}

function showFailure(now) {
  const failure = byId('failure');
  const was = failing;
  failing = lastFailure !== null && now - lastFailure.at < FAILING_MS;
  failure.hidden = lastFailure === null;
  failure.classList.toggle('past', !failing);
  if (lastFailure)
    failure.textContent = `Last failure, ${lastFailure.clock.toLocaleTimeString()}: ${lastFailure.error}`;
  if (failing !== was)
    announce(failing ? `Pings fail: ${lastFailure.error}` : 'No ping has failed for five seconds.');
}

// -- the controls ------------------------------------------------------------------------------------

function startOver() {
  recent = [];
  seen = new Set();
  highest = -1n;
  totals = {answered: 0, failed: 0, repeated: 0, backwards: 0};
  lastFailure = null;
  failing = false;
  byId('alarm').textContent = '';
  clearColumns();
  show();
}

byId('once').addEventListener('click', ping);
byId('rate').addEventListener('input', (event) => {
  setRate(Number(event.target.value));
  announce(rate ? `${rate} pings a second.` : 'Off.');
});
byId('stop').addEventListener('click', () => {
  setRate(0);
  byId('rate').focus();
  announce('Off.');
});
byId('reset').addEventListener('click', startOver);
columns.addEventListener('mouseover', showDetail);
columns.addEventListener('focusin', showDetail);
columns.addEventListener('keydown', moveFocus);
addEventListener('resize', sizeDots);

clearColumns();
setRate(0);
setInterval(() => { advance(); wantShown(); }, 1000);
