import { QgemmError, show } from '../errors.js';
import { MAX_JSON_DEPTH } from './limits.js';

/** A parsed value. Objects are Maps: a key such as `__proto__` is a key like any other. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export type JsonObject = Map<string, JsonValue>;

export interface JsonRules {
  /** Names the text in errors, such as `the header of "model.safetensors"`. */
  what: string;
  /** Numbers must be written as plain decimal integers below 2^53. */
  integersOnly?: boolean;
}

const WHITESPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const INTEGER = /^(?:0|[1-9][0-9]*)$/;
// eslint-disable-next-line no-control-regex -- control characters are what a JSON string must not hold
const PLAIN_CHARACTERS = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Parses JSON as RFC 8259 defines it, and refuses what readers disagree about: keys given twice, lone surrogates, bytes
 * that are not UTF-8, nesting beyond {@link MAX_JSON_DEPTH}. `JSON.parse` would keep the last of two equal keys and round
 * integers silently.
 */
export function parseJson(bytes: Uint8Array, rules: JsonRules): JsonValue {
  return new Parser(decode(bytes, rules), rules).document();
}

/**
 * Parses an object as {@link parseJson} does, but hands out its entries one by one: what `onEntry` does not keep is free
 * again before the next one is read.
 */
export function parseJsonEntries(
  bytes: Uint8Array,
  rules: JsonRules,
  onEntry: (key: string, value: JsonValue) => void,
): void {
  new Parser(decode(bytes, rules), rules).entries(onEntry);
}

function decode(bytes: Uint8Array, rules: JsonRules): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new QgemmError('ERR_QGEMM_FORMAT', `${rules.what} must be UTF-8, but holds other bytes`, { cause });
  }
}

class Parser {
  readonly #text: string;
  readonly #rules: JsonRules;
  #at = 0;

  constructor(text: string, rules: JsonRules) {
    this.#text = text;
    this.#rules = rules;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#skip();
    if (this.#at !== this.#text.length) this.#fail('the end of the text');
    return value;
  }

  entries(onEntry: (key: string, value: JsonValue) => void): void {
    this.#skip();
    if (this.#text[this.#at] !== '{') this.#fail('"{"');
    const keys = new Set<string>();
    this.#members(0, (key, value) => {
      if (keys.has(key)) this.#twice(key);
      keys.add(key);
      onEntry(key, value());
    });
    this.#skip();
    if (this.#at !== this.#text.length) this.#fail('the end of the text');
  }

  #value(depth: number): JsonValue {
    if (depth > MAX_JSON_DEPTH) {
      throw new QgemmError('ERR_QGEMM_LIMIT', `${this.#rules.what} must nest at most ${MAX_JSON_DEPTH} levels deep`);
    }
    this.#skip();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      case 't':
        return this.#literal('true', true);
      case 'f':
        return this.#literal('false', false);
      case 'n':
        return this.#literal('null', null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject {
    const object: JsonObject = new Map();
    this.#members(depth, (key, value) => {
      if (object.has(key)) this.#twice(key);
      object.set(key, value());
    });
    return object;
  }

  /** Calls back at every key; the value must be taken before the call returns. */
  #members(depth: number, onMember: (key: string, value: () => JsonValue) => void): void {
    this.#at += 1;
    if (this.#accept('}')) return;
    const value = (): JsonValue => {
      if (!this.#accept(':')) this.#fail('":"');
      return this.#value(depth + 1);
    };
    do {
      this.#skip();
      if (this.#text[this.#at] !== '"') this.#fail('a quoted key');
      onMember(this.#string(), value);
    } while (this.#accept(','));
    if (!this.#accept('}')) this.#fail('"," or "}"');
  }

  #twice(key: string): never {
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${this.#rules.what} must name every key once, but has ${show(key)} twice`,
    );
  }

  #array(depth: number): JsonValue[] {
    const array: JsonValue[] = [];
    this.#at += 1;
    if (this.#accept(']')) return array;
    do array.push(this.#value(depth + 1));
    while (this.#accept(','));
    if (!this.#accept(']')) this.#fail('"," or "]"');
    return array;
  }

  // Piece by piece, since one expression for a whole string would need stack for every escape in it.
  #string(): string {
    const start = this.#at;
    this.#at += 1;
    let escaped = false;
    for (;;) {
      this.#token(PLAIN_CHARACTERS);
      if (this.#text[this.#at] === '"') break;
      if (this.#token(ESCAPE) === undefined) this.#fail('a well-formed string');
      escaped = true;
    }
    this.#at += 1;
    const value = escaped
      ? (JSON.parse(this.#text.slice(start, this.#at)) as string)
      : this.#text.slice(start + 1, this.#at - 1);
    if (LONE_SURROGATE.test(value)) this.#fail('a string without lone surrogates');
    return value;
  }

  #number(): number {
    const token = this.#token(NUMBER) ?? this.#fail('a value');
    const value = Number(token);
    if (this.#rules.integersOnly === true && !(INTEGER.test(token) && Number.isSafeInteger(value))) {
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `${this.#rules.what} must hold integers from 0 to 2^53 - 1, got ${token.slice(0, 40)}`,
      );
    }
    return value;
  }

  #literal<T extends JsonValue>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) this.#fail('a value');
    this.#at += word.length;
    return value;
  }

  #token(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const token = pattern.exec(this.#text)?.[0];
    if (token !== undefined) this.#at += token.length;
    return token;
  }

  #accept(character: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #skip(): void {
    this.#token(WHITESPACE);
  }

  #fail(expected: string): never {
    const got = this.#at < this.#text.length ? show(this.#text.slice(this.#at, this.#at + 12)) : 'the end';
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `${this.#rules.what} must be JSON: expected ${expected} at character ${this.#at}, got ${got}`,
    );
  }
}
