// Runs the Python snippet of docs/file-format.md with the stock `safetensors` package on files that `convert` makes, and
// compares what it reads with `loadModel`, bit by bit. Needs Python 3 with venv, and PyPI the first time.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { python } from './python.mjs';
import { root, run } from './tools.mjs';

const { convert, loadModel } = createRequire(import.meta.url)('../dist/index.js');

/** A safetensors file with weights of odd sizes, one of them with a bias. */
function writeModel(path) {
  const shapes = { 'a.weight': [33, 65], 'a.bias': [33], 'b.weight': [1, 1], 'c.weight': [64, 128] };
  const header = {};
  const data = [];
  let begin = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * 1.7 + shape[0]));
    header[name] = { dtype: 'F32', shape, data_offsets: [begin, begin + values.byteLength] };
    begin += values.byteLength;
    data.push(Buffer.from(values.buffer));
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, ...data]));
}

const reader = `
import sys
from snippet import read_weight, weight_names
for i, name in enumerate(weight_names(sys.argv[1])):
    weight, bias = read_weight(sys.argv[1], name)
    weight.tofile(f"{sys.argv[2]}/{name}.bin")
    if bias is not None:
        bias.tofile(f"{sys.argv[2]}/{name}.bias.bin")
`;

const folder = mkdtempSync(join(tmpdir(), 'qgemm-python-'));
try {
  const page = readFileSync(join(root, 'docs', 'file-format.md'), 'utf8');
  const snippet = /```python\n([^]*?)```/.exec(page)[1];
  writeFileSync(join(folder, 'snippet.py'), snippet);
  writeFileSync(join(folder, 'reader.py'), reader);
  writeModel(join(folder, 'model.safetensors'));
  const interpreter = python('venv-interop', join(root, 'scripts', 'interop', 'requirements.txt'));
  const output = join(folder, 'packed.safetensors');
  let compared = 0;
  const compare = (file, name, values) => {
    const read = readFileSync(join(folder, file));
    const expected = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    if (!read.equals(expected)) throw new Error(`Python reads other values of ${name} than loadModel`);
    compared += 1;
  };
  for (const options of [{}, { symmetric: false }, { granularity: 'per-tensor' }, { scheme: 'float32' }]) {
    await convert(join(folder, 'model.safetensors'), output, options);
    run(interpreter, [join(folder, 'snippet.py'), output], { stdio: ['ignore', 'ignore', 'inherit'] });
    run(interpreter, [join(folder, 'reader.py'), output, folder]);
    const model = loadModel(output);
    for (const name of ['a', 'b', 'c']) compare(`${name}.weight.bin`, name, model.tensor(`${name}.weight`).data);
    compare('a.weight.bias.bin', 'a.bias', model.tensor('a.bias').data);
    model.close();
  }
  console.log(`docs/file-format.md: Python reads ${compared} tensors as loadModel does, bit by bit.`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
