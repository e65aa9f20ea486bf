export { cpuInfo, setNumThreads, type CpuInfo } from './cpu.js';
export { QgemmError, type QgemmErrorCode } from './errors.js';
export type { ForwardAsyncOptions } from './forward-async.js';
export { Linear, type Activation, type LinearOptions } from './linear.js';
export {
  PackedWeights,
  type ActivationRange,
  type PackOptions,
  type Scheme,
  type WeightsHandle,
} from './packed-weights.js';
export type { QuantizedTensor } from './tensor.js';
