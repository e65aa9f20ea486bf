// Installs what npm run bench compares with: onnxruntime-node into bench/node_modules and, with --torch, PyTorch into a
// virtual environment in .cache.
//   node scripts/bench-peers.mjs [--torch]
import { join } from 'node:path';
import { python } from './python.mjs';
import { root, run } from './tools.mjs';

run('npm', ['ci', '--prefix', 'bench', '--ignore-scripts', '--no-audit', '--no-fund']);
if (process.argv.includes('--torch')) python('bench-torch', join(root, 'bench/requirements.txt'));
