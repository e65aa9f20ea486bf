// A busy neighbour: computes until its parent is gone or ends it. Started by neighbours.mjs, pinned to one CPU.
process.on('disconnect', () => process.exit());
process.send('ready');
const turn = () => {
  const until = performance.now() + 50;
  let value = 1;
  while (performance.now() < until) value = Math.sqrt(value + 1);
  setImmediate(turn);
};
turn();
