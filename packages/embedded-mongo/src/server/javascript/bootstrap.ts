/**
 * What runs first in a sandbox: the types that MongoDB's JavaScript knows, and the way of values in and out. It is plain text
 * so that all of it is made inside of the sandbox. The function is given what it may call outside, and hides it: nothing
 * that a client's code can reach has a prototype of the outside.
 */
export const bootstrap = `(function (outside) {
  'use strict';
  const globals = globalThis;
  const define = (name, value) =>
    Object.defineProperty(globals, name, { value, writable: true, configurable: true, enumerable: false });

  class ObjectId {
    constructor(hex) { this.str = String(hex === undefined ? outside.newId() : hex); }
    toString() { return 'ObjectId("' + this.str + '")'; }
    valueOf() { return this.str; }
    toHexString() { return this.str; }
    equals(other) { return other instanceof ObjectId && other.str === this.str; }
    getTimestamp() { return new Date(parseInt(this.str.slice(0, 8), 16) * 1000); }
  }
  class NumberLong {
    constructor(text) { this.text = String(text === undefined ? 0 : text); }
    toNumber() { return Number(this.text); }
    valueOf() { return Number(this.text); }
    toString() { return 'NumberLong("' + this.text + '")'; }
  }
  class NumberInt {
    constructor(value) { this.value = Number(value === undefined ? 0 : value) | 0; }
    toNumber() { return this.value; }
    valueOf() { return this.value; }
    toString() { return 'NumberInt(' + this.value + ')'; }
  }
  class NumberDecimal {
    constructor(text) { this.text = String(text === undefined ? 0 : text); }
    valueOf() { return Number(this.text); }
    toString() { return 'NumberDecimal("' + this.text + '")'; }
  }
  class Timestamp {
    constructor(t, i) { this.t = Number(t || 0); this.i = Number(i || 0); }
    toString() { return 'Timestamp(' + this.t + ', ' + this.i + ')'; }
  }
  class BinData {
    constructor(type, text) { this.type = type; this.text = text; }
    base64() { return this.text; }
    toString() { return 'BinData(' + this.type + ',"' + this.text + '")'; }
  }
  class MinKey {}
  class MaxKey {}
  class Code { constructor(code) { this.code = String(code); } }
  class DBRef { constructor(ref, id, db) { this.$ref = ref; this.$id = id; if (db !== undefined) this.$db = db; } }
  // MongoDB lets all of them be called without new.
  const callable = (type) => new Proxy(type, { apply: (target, self, args) => new target(...args) });
  for (const type of [ObjectId, NumberLong, NumberInt, NumberDecimal, Timestamp, BinData, Code, DBRef, MinKey, MaxKey]) {
    define(type.name, callable(type));
  }
  define('ISODate', (text) => (text === undefined ? new Date() : new Date(text)));
  define('sleep', (ms) => { outside.sleep(Number(ms)); });
  define('print', () => undefined);
  define('printjson', () => undefined);
  define('isNumber', (value) => typeof value === 'number');
  define('isString', (value) => typeof value === 'string');
  define('isObject', (value) => typeof value === 'object' && value !== null);
  define('tojson', (value) => JSON.stringify(value));
  define('tojsononeline', (value) => JSON.stringify(value));
  define('version', () => '8.0.0');
  const assert = (holds, message) => { if (!holds) throw new Error('assert failed' + (message ? ' : ' + message : '')); };
  define('assert', assert);
  const helper = (owner, name, value) =>
    Object.defineProperty(owner, name, { value, writable: true, configurable: true, enumerable: false });
  helper(Array, 'sum', (values) => values.reduce((sum, value) => sum + Number(value), 0));
  helper(Array, 'avg', (values) => Array.sum(values) / values.length);
  helper(Array, 'contains', (values, value) => values.includes(value));
  helper(Array, 'unique', (values) => [...new Set(values)]);
  helper(Array, 'tojson', (values) => JSON.stringify(values));
  helper(Object, 'extend', (target, source) => Object.assign(target, source));

  let emitted = [];
  define('emit', (key, value) => { emitted.push([key, value]); });

  const entered = (value) => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(entered);
    switch (value.$) {
      case 'doc': {
        const doc = {};
        for (const [name, inner] of value.v) Object.defineProperty(doc, name, { value: entered(inner), writable: true, configurable: true, enumerable: true });
        return doc;
      }
      case 'id': return new ObjectId(value.v);
      case 'long': return new NumberLong(value.v);
      case 'decimal': return new NumberDecimal(value.v);
      case 'number': return Number(value.v);
      case 'date': return new Date(value.v);
      case 'regex': { try { return new RegExp(value.v, value.o); } catch { return value.v; } }
      case 'time': return new Timestamp(value.v, value.o);
      case 'bin': return new BinData(value.o, value.v);
      case 'min': return new MinKey();
      case 'max': return new MaxKey();
      case 'code': return new Code(value.v);
      default: return undefined;
    }
  };
  const left = (value, depth) => {
    if (depth > 150) throw new Error('the value nests too deep to be stored');
    switch (typeof value) {
      case 'string': case 'boolean': return value;
      case 'number': return { $: 'number', v: String(value) };
      case 'bigint': return { $: 'long', v: String(value) };
      case 'function': return { $: 'code', v: String(value) };
      case 'object': break;
      default: return { $: 'undefined' };
    }
    if (value === null) return null;
    if (Array.isArray(value)) return Array.from(value, (inner) => left(inner, depth + 1));
    if (value instanceof ObjectId) return { $: 'id', v: value.str };
    if (value instanceof NumberLong) return { $: 'long', v: value.text };
    if (value instanceof NumberInt) return { $: 'int', v: value.value };
    if (value instanceof NumberDecimal) return { $: 'decimal', v: value.text };
    if (value instanceof Date) return { $: 'date', v: value.getTime() };
    if (value instanceof RegExp) return { $: 'regex', v: value.source, o: value.flags };
    if (value instanceof Timestamp) return { $: 'time', v: value.t, o: value.i };
    if (value instanceof BinData) return { $: 'bin', v: value.text, o: value.type };
    if (value instanceof MinKey) return { $: 'min' };
    if (value instanceof MaxKey) return { $: 'max' };
    if (value instanceof Code) return { $: 'code', v: value.code };
    return { $: 'doc', v: Object.keys(value).map((name) => [name, left(value[name], depth + 1)]) };
  };

  const functions = new Map();
  const functionOf = (code) => {
    let made = functions.get(code);
    if (!made) {
      made = outside.compile(code);
      functions.set(code, made);
    }
    return made;
  };
  const withScope = (scope) => {
    const values = scope === undefined ? {} : entered(scope);
    for (const name of Object.keys(values)) {
      const value = values[name];
      globals[name] = value instanceof Code ? functionOf(value.code) : value;
    }
  };
  const work = {
    where({ code, doc }) {
      const self = entered(doc);
      globals.obj = self;
      return Boolean(functionOf(code).call(self));
    },
    function({ code, args }) { return functionOf(code).apply(null, args.map(entered)); },
    accumulate({ init, initArgs, accumulate, rows, finalize }) {
      let state = functionOf(init).apply(null, initArgs.map(entered));
      for (const row of rows) state = functionOf(accumulate).apply(null, [state, ...row.map(entered)]);
      return finalize === '' ? state : functionOf(finalize).call(null, state);
    },
    map({ code, docs, scope }) {
      withScope(scope);
      emitted = [];
      for (const doc of docs) functionOf(code).call(entered(doc));
      const pairs = emitted.map(([k, v]) => ({ k: k === undefined ? null : k, v }));
      emitted = [];
      return pairs;
    },
    reduce({ code, key, values, scope }) {
      withScope(scope);
      return functionOf(code).call(null, entered(key), values.map(entered));
    },
    finalize({ code, key, value, scope }) {
      withScope(scope);
      return functionOf(code).call(null, entered(key), entered(value));
    },
  };
  const shown = (error) =>
    typeof error === 'object' && error !== null && 'message' in error
      ? String(error.name || 'Error') + ': ' + String(error.message)
      : 'uncaught exception: ' + String(error);
  return (text) => {
    const call = JSON.parse(text);
    try {
      return JSON.stringify({ value: left(work[call.kind](call), 0) });
    } catch (error) {
      return JSON.stringify({ error: shown(error) });
    }
  };
})`;
