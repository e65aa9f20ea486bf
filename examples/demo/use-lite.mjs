// @ts-check
// The tensors of Universal Sentence Encoder lite (Cer et al. 2018, https://arxiv.org/abs/1803.11175) under the names
// that the published TensorFlow.js graph gives them, gathered by what they are for.

/** @typedef {import('qgemm').Linear} Linear */
/** @typedef {import('qgemm').Model} Model */
/** @typedef {{ gain: Float32Array, bias: Float32Array }} Norm layer normalization */
/**
 * @typedef {object} Layer one transformer layer
 * @property {number} width columns of its input, and of all heads of query, key and value together
 * @property {number} heads
 * @property {number} scale of the attention scores
 * @property {Linear | undefined} adjust brings the residual to 512 columns, where the input has fewer
 * @property {Norm} attentionNorm
 * @property {Linear} qkv query, key and value at once
 * @property {Linear} attentionOut
 * @property {Norm} ffnNorm
 * @property {Linear} ffnIn with ReLU
 * @property {Linear} ffnOut
 */
/** @typedef {{ embedding: Float32Array, frequencies: Float32Array, layers: Layer[], output: Linear }} Weights */

const HEADS = 4;
const ENCODE = 'Encoder_en/KonaTransformer/Encode';
const HIDDEN = 'module/Encoder_en/hidden_layers/tanh_layer_0';
const STACK = `module_apply_default/${ENCODE}/TransformerStack`;

/** @param {Model} model @returns {Weights} */
export function gatherWeights(model) {
  return {
    embedding: tensor(model, 'module/Embeddings_en'),
    frequencies: tensor(model, `${STACK}/Layer_0/AddTimingSignal/TimingSignal/ExpandDims_1`),
    layers: [gatherLayer(model, 0), gatherLayer(model, 1)],
    output: linear(model, `${HIDDEN}/weights`, `${HIDDEN}/bias`),
  };
}

/** @param {Model} model @param {number} index @returns {Layer} */
function gatherLayer(model, index) {
  const kernels = `module/${ENCODE}/Layer_${index}/TransformerLayer/MultiheadAttention`;
  const stack = `${STACK}/Layer_${index}/TransformerLayer`;
  /** @param {string} name */
  const parameter = (name) =>
    `module_apply_default/${ENCODE}/Layer_${index}/TransformerLayer/${name}/ConcatPartitions/concat`;
  /** @param {string} name @returns {Norm} */
  const norm = (name) => ({
    gain: tensor(model, parameter(`${name}/layer_norm_scale`)),
    bias: tensor(model, parameter(`${name}/layer_norm_bias`)),
  });

  const attentionNorm = norm('layer_prepostprocess/layer_norm');
  return {
    width: attentionNorm.gain.length,
    heads: HEADS,
    scale: tensor(model, `${stack}/MultiheadAttention/mul/y`)[0] ?? NaN,
    adjust: index === 0 ? linear(model, parameter('dense/kernel'), parameter('dense/bias')) : undefined,
    attentionNorm,
    qkv: linear(
      model,
      `${kernels}/qkv_transform_single/kernel/part_0`,
      parameter('MultiheadAttention/qkv_transform_single/bias'),
    ),
    attentionOut: linear(
      model,
      `${kernels}/output_transform_single/kernel/part_0`,
      parameter('MultiheadAttention/output_transform_single/bias'),
    ),
    ffnNorm: norm('FFN/layer_prepostprocess/layer_norm'),
    ffnIn: linear(model, `${stack}/FFN/conv1/Tensordot/Reshape_1`, parameter('FFN/conv1/bias'), 'relu'),
    ffnOut: linear(model, `${stack}/FFN/conv2/Tensordot/Reshape_1`, parameter('FFN/conv2/bias')),
  };
}

/** @param {Model} model @param {string} name @returns {Float32Array} */
function tensor(model, name) {
  const { data } = model.tensor(name);
  if (!(data instanceof Float32Array)) throw new TypeError(`tensor ${name} must be float32`);
  return data;
}

/** @param {Model} model @param {string} name @param {string} bias @param {'none' | 'relu'} [activation] */
function linear(model, name, bias, activation = 'none') {
  return model.linear(name, { bias: tensor(model, bias), activation });
}
