export { chooseQParams, type QParams, type QuantizeOptions } from './choose-qparams.js';
export { convert } from './convert/convert.js';
export type { ConvertOptions, ConvertProgress } from './convert/options.js';
export type { ConvertedTensor, ConvertReport } from './convert/report.js';
export { cpuInfo, setNumThreads, type CpuInfo } from './cpu.js';
export { QgemmError, type QgemmErrorCode } from './errors.js';
export type { ErrorFigures, Histogram } from './error-stats.js';
export {
  inspect,
  type InspectedMatmul,
  type InspectedTensor,
  type InspectedWeight,
  type InspectReport,
} from './inspect.js';
export {
  Linear,
  type AnyLinear,
  type ForwardAllAsyncOptions,
  type ForwardAsyncOptions,
  type ForwardOptions,
  type OutputsOf,
} from './linear.js';
export type { QuantizedInput } from './linear-input.js';
export type { Activation, CodeParameters, LinearOptions, OutputArray, OutputDType } from './linear-options.js';
export { matmulInteger, type MatmulIntegerOptions } from './matmul-integer.js';
export {
  matmulQuantized,
  matmulQuantizedAsync,
  type MatmulQuantizedAsyncOptions,
  type MatmulQuantizedOptions,
} from './matmul-quantized.js';
export { loadModel, type LoadOptions, type Model, type ModelLinearOptions } from './model.js';
export type { ModelTensor, TensorData } from './model-tensor.js';
export { PackedWeights, type PackOptions, type WeightsHandle } from './packed-weights.js';
export type { Numerics } from './quantization-range.js';
export { dequantize, quantize, quantizePerChannel, quantizePerTensor, type FixedQuantizeOptions } from './quantize.js';
export type { ActivationRange, Scheme, WeightGranularity } from './schemes.js';
export type { Granularity, NumberList, QuantizedDType, QuantizedTensor } from './tensor.js';
export { verify, type VerifyOptions } from './verify.js';
export type { Mismatch, VerifiedTensor, VerifiedWeight, VerifyReport } from './verify-report.js';
