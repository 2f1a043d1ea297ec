// The worker: it gets designs and answers with numbers, first of a few replications, then of all. A design that comes
// while another is computed takes its place. Between replications the worker looks whether there is a newer one.

const FIRST = Math.min(5, MODEL.replications);
const runner = new Runner(),
  finished = new Map();
const base = { design: designOf({}), replications: [], measured: new Map() };
let newest = 0;

const turn = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });

const LONGEST_MS = 20; // without a look at what has come

async function compute(design, replications, upto, id) {
  let looked_ms = performance.now();
  while (replications.length < upto) {
    replications.push(runner.replicate(design, replications.length));
    if (performance.now() - looked_ms > LONGEST_MS) {
      await turn();
      looked_ms = performance.now();
    }
    if (id !== newest) return false;
  }
  return true;
}

// The report's design, of some replications: what the others are compared with.
function baseOf(number) {
  if (!base.measured.has(number))
    base.measured.set(number, runner.measured(base.design, base.replications.slice(0, number)));
  return base.measured.get(number);
}

async function answer({ id, moved }) {
  const key = JSON.stringify(moved),
    design = designOf(moved),
    kept = finished.get(key);
  if (kept) {
    postMessage({ id, last: true, ...kept });
    return;
  }
  const replications = [];
  for (const number of new Set([FIRST, MODEL.replications])) {
    if (!(await compute(base.design, base.replications, number, id))) return;
    if (!design.is_base && !(await compute(design, replications, number, id))) return;
    const of_base = baseOf(number),
      of = design.is_base ? of_base : runner.measured(design, replications);
    const found = { number, ...answerOf(of, of_base) },
      last = number === MODEL.replications;
    if (last) finished.set(key, found);
    postMessage({ id, last, ...found });
    await turn();
    if (id !== newest) return;
  }
}

let working = Promise.resolve();
onmessage = ({ data }) => {
  if (data.day !== undefined) {
    const design = designOf(data.moved);
    postMessage({ id: data.id, timeline: timelineOf(runner, design, data.day), slots: design.settings.slots });
    return;
  }
  newest = data.id;
  working = working
    .then(() => (data.id === newest ? answer(data) : undefined))
    .catch((error) => {
      postMessage({ id: data.id, failed: String(error) });
    });
};
