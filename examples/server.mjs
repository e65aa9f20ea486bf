// @ts-check
// A layer behind HTTP, on Node's own server: PORT=8080 node examples/server.mjs [MODEL LAYER]
//
//   POST /forward   rows of x as little-endian float32, application/octet-stream; the reply is the rows of y likewise
//   GET  /health    the layer's shape and the kernels it runs on
//
// MODEL is a file written by `qgemm convert`, LAYER one of its layers; without them the server makes weights of its own.
// Everything is bounded: the body (413), the requests in flight (503, try again), and the time a request may take to
// arrive. The event loop never waits for a multiplication, and one whose client has gone is given up.
import { createServer } from 'node:http';
import { cpuInfo, Linear, loadModel, PackedWeights, QgemmError } from 'qgemm';

const MAX_BODY_BYTES = 4 * 1024 * 1024;
const MAX_IN_FLIGHT = 64;
const BYTES_PER_VALUE = Float32Array.BYTES_PER_ELEMENT;

/** A reply that is not a result. */
class HttpError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const layer = makeLayer(process.argv[2], process.argv[3]);
let inFlight = 0;

const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
  const abort = new AbortController();
  // `close` comes after every response; it means that the client is gone only when the response is not finished.
  response.once('close', () => abort.abort());
  handle(request, abort.signal).then(
    ({ type, body }) => response.writeHead(200, { 'content-type': type }).end(body),
    (error) => {
      if (abort.signal.aborted) return;
      const status = statusOf(error);
      const headers = { 'content-type': 'application/json', ...(status === 503 ? { 'retry-after': '1' } : {}) };
      // The rest of a refused body is read and dropped, so that the client gets to see the reply.
      request.resume();
      response.writeHead(status, headers).end(JSON.stringify({ error: error.message, code: error.code }));
    },
  );
});

/** @param {import('node:http').IncomingMessage} request @param {AbortSignal} signal */
async function handle(request, signal) {
  if (request.method === 'GET' && request.url === '/health') {
    return { type: 'application/json', body: JSON.stringify({ n: layer.n, k: layer.k, isa: cpuInfo().isa }) };
  }
  if (request.method !== 'POST' || request.url !== '/forward') throw new HttpError(404, 'try POST /forward');
  if (inFlight >= MAX_IN_FLIGHT) throw new HttpError(503, `more than ${MAX_IN_FLIGHT} requests are in flight`);
  inFlight++;
  try {
    const y = await layer.forwardAsync(await readRows(request), { signal });
    return { type: 'application/octet-stream', body: new Uint8Array(y.buffer, y.byteOffset, y.byteLength) };
  } finally {
    inFlight--;
  }
}

/** @param {import('node:http').IncomingMessage} request @returns {Promise<Float32Array>} */
async function readRows(request) {
  /** @type {Buffer[]} */
  const chunks = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new HttpError(413, `the body must have at most ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (length === 0 || length % (layer.k * BYTES_PER_VALUE) !== 0) {
    throw new HttpError(400, `the body must hold rows of ${layer.k} float32 values, got ${length} bytes`);
  }
  // A copy of its own, since a float32 view must start at a multiple of 4.
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return new Float32Array(bytes.buffer);
}

/** @param {unknown} error */
function statusOf(error) {
  if (error instanceof HttpError) return error.status;
  return error instanceof QgemmError && error.code === 'ERR_QGEMM_QUEUE_FULL' ? 503 : 500;
}

/** @param {string | undefined} model @param {string | undefined} name */
function makeLayer(model, name) {
  if (model !== undefined && name !== undefined) return loadModel(model).linear(name);
  const values = Float32Array.from({ length: 768 * 384 }, (_, i) => Math.sin(i * 12.9898) / 20);
  return new Linear(PackedWeights.fromFloat32(values, [768, 384], { scheme: 'int8' }), { activation: 'gelu' });
}

server.listen(Number(process.env['PORT'] ?? 8080), '127.0.0.1', () => {
  const address = server.address();
  console.log(`listening on http://127.0.0.1:${typeof address === 'object' ? address?.port : address}`);
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close());
