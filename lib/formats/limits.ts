/**
 * Every cap on what a file may ask for, each with its reason. Breaking one is ERR_QGEMM_LIMIT: the file may be legal, but
 * no real model needs it, and without the cap a few bytes could make this process use minutes or gigabytes.
 */

/**
 * Bytes of one safetensors header: 100,000 tensors of usual names, or 15,000 packed weights. The files of real models have fewer
 * than 20,000. The format allows 100 MB, which would take seconds and a gigabyte to refuse.
 */
export const MAX_HEADER_BYTES: number = 10 * 2 ** 20;

/** Tensors of one safetensors file: each needs some 500 bytes of memory until the file is found to be sound. */
export const MAX_FILE_TENSORS = 100_000;

/** Bytes of a JSON file (shard index, model.json). The largest index known lists 497,000 tensors in about 60 MB. */
export const MAX_JSON_BYTES: number = 64 * 2 ** 20;

/** Bytes of a config.json. The largest of real models have some tens of thousands. */
export const MAX_CONFIG_BYTES: number = 4 * 2 ** 20;

/** Bytes of a file that is copied from a model's folder: tokenizers of large vocabularies have up to 40 MB. */
export const MAX_COMPANION_BYTES: number = 64 * 2 ** 20;

/** Nesting of JSON values. Keras models nested in each other need about 20 levels. */
export const MAX_JSON_DEPTH = 64;

/** Tensors of one model. The largest published mixture-of-experts models have fewer than 500,000. */
export const MAX_TENSORS = 500_000;

/** Dimensions of one tensor. NumPy allows 64, PyTorch 64, real weights have at most 8. */
export const MAX_RANK = 64;

/** Shard files of one model. The largest known has fewer than 1,000; every one costs an open and a header. */
export const MAX_SHARDS = 10_000;

/**
 * Elements of a tensor that is wanted as float32 in memory, such as by `model.tensor`: they must fit a typed array on every
 * supported Node. Conversions need no more than a block of a weight.
 */
export const MAX_FLOAT32_ELEMENTS: number = 2 ** 30 - 1;

/**
 * Elements of a weight [N, K] that are quantized at a time: 2 MB as float32, which stay in the cache from reading to packing
 * (measured: blocks of 16 MB take 1.4 times as long). Memory does not grow with the weight.
 */
export const BLOCK_ELEMENTS: number = 2 ** 19;

/**
 * Elements of a weight [K, N] that are read at a time: each block takes a piece of every line, and short pieces are slow to
 * read. 32 MB as float32: most weights are read as they lie, and no step of the work takes more than some milliseconds.
 */
export const STRIP_ELEMENTS: number = 2 ** 23;

/**
 * Elements of the least that can be converted at a time, 32 rows of a weight (all, where it has fewer): 256 MB as float32.
 * The longest rows of real layers have some hundred thousands.
 */
export const MAX_BLOCK_ELEMENTS: number = 2 ** 26;

/** Bytes that are read, converted or written at a time; what a tensor needs besides itself. */
export const CHUNK_BYTES: number = 4 * 2 ** 20;

/**
 * Bytes of a GGUF file before its data. Nearly all of it are the vocabulary and the merges of a tokenizer: the largest
 * known (262,144 tokens) needs 16 MB. They are walked, not kept.
 */
export const MAX_GGUF_HEADER_BYTES: number = 32 * 2 ** 20;

/** Keys of a GGUF file. Real ones have fewer than 100. */
export const MAX_GGUF_KEYS = 65_536;

/** Tensors of one GGUF file. Experts are stacked into one tensor there, so that the largest models have some thousands. */
export const MAX_GGUF_TENSORS = 65_536;

/** Bytes of one string in GGUF that is read: a chat template has 20 kB, a license text 50 kB. */
export const MAX_GGUF_STRING_BYTES: number = 2 ** 20;

/** Bytes of the name of a GGUF tensor. ggml itself allows 63. */
export const MAX_GGUF_NAME_BYTES = 1024;

/** Nesting of arrays in GGUF. ggml itself reads none. */
export const MAX_GGUF_ARRAY_DEPTH = 4;

/** Elements of a GGUF array that becomes text in the metadata; longer ones are vocabularies. */
export const MAX_GGUF_SHOWN_ELEMENTS = 64;

/** Characters of a GGUF value that becomes text in the metadata: longer ones would slow down every load of the output. */
export const MAX_GGUF_SHOWN_TEXT = 16_384;

/** Fields of one protobuf file, all messages together. The largest ONNX graphs, of about 100,000 nodes, have 2 million. */
export const MAX_PROTO_FIELDS = 3_000_000;

/** Bytes of one string in a protobuf file. Names of unrolled graphs reach some hundred. */
export const MAX_PROTO_STRING: number = 64 * 2 ** 10;

/** Nodes and tensors of one ONNX model, all graphs together. The largest exports have about 100,000. */
export const MAX_ONNX_ITEMS = 200_000;

/** Graphs in graphs of an ONNX model. Real ones (a loop over a condition) nest two or three deep. */
export const MAX_ONNX_DEPTH = 16;

/** Pieces in which an ONNX tensor's typed data lies. Writers pack it into one; each piece costs memory here. */
export const MAX_ONNX_PIECES = 4096;

/** Bytes of the directory of a zip archive: about 150,000 files. A checkpoint has one for each storage of its tensors. */
export const MAX_ZIP_DIRECTORY_BYTES: number = 16 * 2 ** 20;

/** Bytes of a compressed file in a zip archive, which is inflated in memory. What is stored is read by offset. */
export const MAX_INFLATED_BYTES: number = 256 * 2 ** 20;

/** Bytes of a pickle without its tensors' data: about 100,000 tensors. */
export const MAX_PICKLE_BYTES: number = 16 * 2 ** 20;

/** Estimated bytes of the values that a pickle makes: one of 100,000 tensors makes about 60 MB. */
export const MAX_PICKLE_MEMORY: number = 64 * 2 ** 20;

/** Values, and marks, that lie on the stack of a pickle at a time. Python's pickler leaves a thousand there, and whole tuples. */
export const MAX_PICKLE_STACK: number = 2 ** 20;

/** Nesting of dicts, lists and tuples in a checkpoint. Training checkpoints have about 6 levels. */
export const MAX_PICKLE_DEPTH = 64;

/** Values that are visited in search of tensors: a few shared lists in each other would be visited without end. */
export const MAX_PICKLE_VISITS = 1_000_000;

/**
 * Tensors of a checkpoint are views, which may share their storages and repeat elements. All of them together may be so many
 * times as large as the file, or have so many bytes, whichever is more.
 */
export const MAX_VIEW_RATIO = 16;
export const MAX_VIEW_BYTES: number = 64 * 2 ** 20;

/** Bytes of the text at the beginning of a .npy file. NumPy itself refuses more. */
export const MAX_NPY_HEADER_BYTES = 10_000;

/** Bytes of an ONNX file that is written: protobuf's own limit on a message. */
export const MAX_ONNX_BYTES: number = 2 ** 31 - 1;

/** Values of one MessagePack file: a tensor takes about eight, so that as many as one file may have need 800,000. */
export const MAX_MSGPACK_VALUES = 1_000_000;

/** Nesting of maps in a Flax checkpoint. Models have about 8 levels, optimizers some more. */
export const MAX_FLAX_DEPTH = 64;

/** Bytes of one key in a Flax checkpoint: names of modules have some tens. */
export const MAX_FLAX_KEY_BYTES = 1024;

/** Bytes of all keys and names of tensors of a Flax checkpoint: 100,000 tensors of 160, in maps that they share. */
export const MAX_FLAX_NAME_BYTES: number = 16 * 2 ** 20;

/** Chunks of an array in a Flax checkpoint. Flax makes chunks of 1 GiB. */
export const MAX_FLAX_CHUNKS = 4096;
