import { pickleError } from './pickle-reader.js';
import { COST, type PickleRules } from './pickle-machine.js';
import {
  isPickleTuple,
  PickleDict,
  PickleGlobal,
  pickleKind,
  PickleList,
  PickleOpaque,
  type PickleTuple,
  type PickleValue,
} from './pickle-values.js';
import { TorchRebuilder } from './rebuild.js';
import { STORAGE_DTYPES, TORCH_DTYPES, TorchTensor } from './values.js';

type Charge = (bytes: number) => void;

/** Names that a checkpoint passes on and never calls. */
const PLAIN_NAMES = [
  'torch.per_tensor_affine',
  'torch.per_tensor_symmetric',
  'torch.per_channel_affine',
  'torch.per_channel_symmetric',
  'torch.per_channel_affine_float_qparams',
  'torch.strided',
  'torch.contiguous_format',
  'torch.Tensor',
  'torch.qint32',
  'torch.quint4x2',
  'torch.complex128',
];

/**
 * What a PyTorch checkpoint may refer to, the same names that `torch.load(weights_only=True)` allows, as far as they make
 * dense tensors and plain values. Calls make records of this package; no name of Python's is looked up anywhere.
 */
export function torchRules(what: string): PickleRules {
  const rebuild = new TorchRebuilder(what);
  const names = new Map<string, PickleGlobal>();
  const allow = (name: string, call?: PickleGlobal['call']): void => void names.set(name, new PickleGlobal(name, call));

  for (const name of PLAIN_NAMES) allow(name);
  for (const name of TORCH_DTYPES.keys()) allow(`torch.${name}`);
  for (const name of STORAGE_DTYPES.keys()) for (const module of ['torch', 'torch.storage']) allow(`${module}.${name}`);
  for (const module of ['torch', 'torch.storage']) allow(`${module}.TypedStorage`);

  allow('torch._utils._rebuild_tensor', (args) => rebuild.tensor(args));
  allow('torch._utils._rebuild_tensor_v2', (args) => rebuild.tensorV2(args));
  allow('torch._utils._rebuild_tensor_v3', (args) => rebuild.tensorV3(args));
  allow('torch._utils._rebuild_qtensor', (args) => rebuild.quantized(args));
  allow('torch._utils._rebuild_parameter', ([tensor]) => tensorOf(what, tensor));
  allow('torch._utils._rebuild_parameter_with_state', ([tensor]) => tensorOf(what, tensor));
  allow('torch.nn.parameter.Parameter', ([tensor]) => tensorOf(what, tensor));
  allow('torch._tensor._rebuild_from_type_v2', (args, charge) => fromType(what, args, charge));

  allow('torch.Size', ([items]) => (isPickleTuple(items) ? items : new PickleOpaque('a torch.Size')));
  allow('torch.device', () => new PickleOpaque('a torch.device'));
  allow('torch.serialization._get_layout', () => new PickleOpaque('a torch.layout'));
  allow('collections.OrderedDict', (args, charge) => dictOf(what, args, charge));
  allow('collections.Counter', ([counts]) => (counts instanceof PickleDict ? counts : new PickleDict()));
  allow('_codecs.encode', () => new PickleOpaque('bytes'));
  for (const module of ['builtins', '__builtin__']) {
    allow(`${module}.set`, ([items]) => (items instanceof PickleList ? items : new PickleList()));
    allow(`${module}.bytearray`, () => new PickleOpaque('a bytearray'));
    allow(`${module}.complex`, () => new PickleOpaque('a complex number'));
  }
  return {
    what,
    find: (module, name) => names.get(`${module}.${name}`),
    load: (id) => rebuild.storage(id),
  };
}

/** A Parameter is the tensor in it. */
function tensorOf(what: string, value: PickleValue | undefined): TorchTensor {
  if (!(value instanceof TorchTensor)) throw pickleError(what, `makes a parameter of ${pickleKind(value)}`);
  return value;
}

/** (function, type, arguments, state): a tensor with Python attributes, which have no meaning here. */
function fromType(what: string, [callable, , args]: PickleTuple, charge: Charge): PickleValue {
  const isRebuild = callable instanceof PickleGlobal && callable.name.startsWith('torch._utils._rebuild');
  if (!isRebuild || callable.call === undefined || !isPickleTuple(args)) {
    throw pickleError(what, `makes a tensor by ${pickleKind(callable)} of ${pickleKind(args)}`);
  }
  return callable.call(args, charge);
}

function itemsOf(value: PickleValue): PickleTuple {
  if (value instanceof PickleList) return value.items;
  return isPickleTuple(value) ? value : [];
}

/** Python 2 gives an OrderedDict its items as a list of pairs. */
function dictOf(what: string, [items]: PickleTuple, charge: Charge): PickleDict {
  const dict = new PickleDict();
  if (items === undefined) return dict;
  if (!(items instanceof PickleList)) throw pickleError(what, `makes an OrderedDict of ${pickleKind(items)}`);
  charge(COST.firstEntry + COST.entry * items.items.length);
  for (const item of items.items) {
    const pair = itemsOf(item);
    if (pair.length !== 2) throw pickleError(what, `makes an OrderedDict of items that are ${pickleKind(item)}`);
    dict.set(pair[0]!, pair[1]!);
  }
  return dict;
}
