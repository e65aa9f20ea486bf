// Named imports have to work from ES modules although the package is CommonJS.
import { Linear, PackedWeights, QgemmError, cpuInfo, loadModel, quantize } from 'qgemm';

for (const value of [Linear, PackedWeights, QgemmError, cpuInfo, loadModel, quantize]) {
  if (typeof value !== 'function') throw new Error('a named import is missing');
}
export { PackedWeights };
