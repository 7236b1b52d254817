// A Llama that reads one token at a time: RMSNorm, rotary positions, attention, SwiGLU, tied head.
// Keys and values of what has been read are kept, so that a further token costs one step.
"use strict";

{
  // config: as `config` in chapters/website/models_files.py gives it. tensors: {name: Float32Array}.
  function makeModel(config, tensors) {
    if (config.width % 4 || config.inner % 4) throw new Error("sizes must be multiples of 4");
    const layer = (number) => (name) => tensors[`layers.${number}.${name}`];
    const layers = Array.from({ length: config.layers }, (_, number) => {
      const of = layer(number);
      return {
        before: of("input_layernorm"),
        query: of("self_attn.q_proj"),
        key: of("self_attn.k_proj"),
        value: of("self_attn.v_proj"),
        output: of("self_attn.o_proj"),
        between: of("post_attention_layernorm"),
        gate: of("mlp.gate_proj"),
        up: of("mlp.up_proj"),
        down: of("mlp.down_proj"),
      };
    });
    const embedding = tensors.embed_tokens;
    const head = tensors.lm_head ?? embedding; // tied where there is no matrix of its own
    return { config, embedding, layers, norm: tensors.norm, head, turns: turns(config) };
  }

  // Cosines and sines of the rotary angles, a row for each position.
  function turns({ width, heads, theta, positions }) {
    const half = width / heads / 2;
    const cosine = new Float32Array(positions * half);
    const sine = new Float32Array(positions * half);
    for (let position = 0; position < positions; position++) {
      for (let i = 0; i < half; i++) {
        const angle = position * theta ** (-i / half);
        cosine[position * half + i] = Math.cos(angle);
        sine[position * half + i] = Math.sin(angle);
      }
    }
    return { cosine, sine, half };
  }

  // What a model remembers of the tokens it has read; `ids` are these tokens.
  function makeMemory({ config }) {
    const size = config.positions * (config.width / config.heads) * config.keyHeads;
    const room = () => Array.from({ length: config.layers }, () => new Float32Array(size));
    return { ids: [], keys: room(), values: room(), logits: null };
  }

  // The logits after `ids`: reads what the memory has not, one token a step. `pause` is awaited
  // between steps and ends the reading by giving false: a later one goes on from there.
  async function read(model, memory, ids, pause = () => true) {
    const kept = Math.min(shared(memory.ids, ids), ids.length - 1);
    if (memory.logits && memory.ids.length === ids.length && kept === ids.length - 1
        && memory.ids[kept] === ids[kept]) return memory.logits;
    memory.ids.length = kept;
    memory.logits = null;
    for (let place = kept; place < ids.length; place++) {
      const last = place === ids.length - 1;
      memory.logits = step(model, memory, ids[place], last);
      if (!last && !(await pause())) return null;
    }
    return memory.logits;
  }

  function shared(one, other) {
    let length = 0;
    while (length < one.length && length < other.length && one[length] === other[length]) length++;
    return length;
  }

  // Reads one token; its logits where they are asked for, else null: the head is a good part of it.
  function step(model, memory, id, asked = true) {
    const { config, embedding } = model;
    const position = memory.ids.length;
    if (position >= config.positions) throw new Error(`more than ${config.positions} tokens`);
    const x = embedding.slice(id * config.width, (id + 1) * config.width);
    model.layers.forEach((layer, number) => {
      attend(model, layer, memory.keys[number], memory.values[number], x, position);
      think(config, layer, x);
    });
    memory.ids.push(id);
    if (!asked) return null;
    return times(model.head, normed(x, model.norm, config.epsilon), config.vocabulary);
  }

  function attend({ config, turns }, layer, keys, values, x, position) {
    const { width, heads, keyHeads } = config;
    const size = width / heads;
    const wide = size * keyHeads; // of a position's keys
    const input = normed(x, layer.before, config.epsilon);
    const query = times(layer.query, input, width);
    const key = times(layer.key, input, wide);
    rotate(query, turns, position);
    rotate(key, turns, position);
    keys.set(key, position * wide);
    values.set(times(layer.value, input, wide), position * wide);
    const mixed = new Float32Array(width);
    for (let head = 0; head < heads; head++) {
      const shift = Math.floor((head * keyHeads) / heads) * size;
      const weights = attention(query, keys, head * size, shift, size, wide, position);
      for (let at = 0; at <= position; at++) {
        const from = at * wide + shift;
        for (let i = 0; i < size; i++) mixed[head * size + i] += weights[at] * values[from + i];
      }
    }
    add(x, times(layer.output, mixed, width));
  }

  // How much a head looks at each position up to this one.
  function attention(query, keys, start, shift, size, wide, position) {
    const scores = new Float64Array(position + 1);
    let highest = -Infinity;
    for (let at = 0; at <= position; at++) {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += query[start + i] * keys[at * wide + shift + i];
      scores[at] = sum / Math.sqrt(size);
      highest = Math.max(highest, scores[at]);
    }
    let total = 0;
    for (let at = 0; at <= position; at++) {
      scores[at] = Math.exp(scores[at] - highest);
      total += scores[at];
    }
    return scores.map((score) => score / total);
  }

  // Turns pairs of each head in place: the first half of a head against the second.
  function rotate(x, { cosine, sine, half }, position) {
    for (let head = 0; head < x.length; head += 2 * half) {
      for (let i = 0; i < half; i++) {
        const [a, b] = [x[head + i], x[head + half + i]];
        const [c, s] = [cosine[position * half + i], sine[position * half + i]];
        x[head + i] = a * c - b * s;
        x[head + half + i] = b * c + a * s;
      }
    }
  }

  function think(config, layer, x) {
    const input = normed(x, layer.between, config.epsilon);
    const gate = times(layer.gate, input, config.inner);
    const up = times(layer.up, input, config.inner);
    for (let i = 0; i < gate.length; i++) gate[i] = (gate[i] / (1 + Math.exp(-gate[i]))) * up[i];
    add(x, times(layer.down, gate, config.width));
  }

  function normed(x, weight, epsilon) {
    let squares = 0;
    for (let i = 0; i < x.length; i++) squares += x[i] * x[i];
    const scale = 1 / Math.sqrt(squares / x.length + epsilon);
    return x.map((value, i) => value * scale * weight[i]);
  }

  // matrix (rows, x.length) times x. Four sums at once: a processor need not wait for each.
  function times(matrix, x, rows) {
    const out = new Float32Array(rows);
    for (let row = 0, at = 0; row < rows; row++) {
      let [a, b, c, d] = [0, 0, 0, 0];
      for (let i = 0; i < x.length; i += 4, at += 4) {
        a += matrix[at] * x[i];
        b += matrix[at + 1] * x[i + 1];
        c += matrix[at + 2] * x[i + 2];
        d += matrix[at + 3] * x[i + 3];
      }
      out[row] = a + b + (c + d);
    }
    return out;
  }

  function add(x, more) {
    for (let i = 0; i < x.length; i++) x[i] += more[i];
  }

  Object.assign((globalThis.threeModels ??= {}), { makeModel, makeMemory, read, step });
}
