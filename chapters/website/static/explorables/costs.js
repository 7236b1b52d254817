// What a distillation costs before it is run: kdlib.bench.costs, with its names and its assumptions.
"use strict";

globalThis.Explorables ??= {};

(() => {
  const SECONDS_PER_HOUR = 3600;
  const BACKWARD = 2; // products in the backward pass for one of the forward pass
  const CACHES = ["dense logits", "hidden states", "top-k", "sampled"];

  // ---------------------------------------------------------------- a model, by its shape

  const head = (shape) => shape.vocabulary * shape.width;

  function multiplied(shape) {
    // Parameters in matrix products, for each token.
    const { width, layers, heads, kv_heads: kvHeads, head_width: headWidth } = shape;
    const attention = 2 * width * heads * headWidth + 2 * width * kvHeads * headWidth;
    return layers * (attention + 3 * width * shape.mlp_width) + head(shape);
  }

  const parameters = (shape) =>
    multiplied(shape) + (shape.tied ? 0 : head(shape)) + (2 * shape.layers + 1) * shape.width;

  const forwardFlops = (shape, context, attended) =>
    2 * multiplied(shape) + 4 * shape.layers * shape.heads * shape.head_width * context * attended;

  const trainingFlops = (shape, context, attended) =>
    (1 + BACKWARD) * forwardFlops(shape, context, attended);

  // ---------------------------------------------------------------- a run

  const teacherSeconds = (a) =>
    forwardFlops(a.teacher, a.context, a.attended) / (a.gpu_flops * a.teacher_use);

  const studentSeconds = (a) =>
    trainingFlops(a.student, a.context, a.attended) / (a.gpu_flops * a.student_use) +
    (a.logit_passes * a.student.vocabulary * 4) / a.gpu_bytes;

  const bytesPerToken = (a) => ({
    "no teacher": 0,
    "teacher beside": 0,
    "dense logits": a.teacher.vocabulary * a.logit_bytes,
    "hidden states": a.teacher.width * a.hidden_bytes,
    "top-k": a.kept * a.kept_bytes,
    sampled: a.drawn_bytes,
  });

  function bill(a, name, stored) {
    const all = a.tokens * a.passes;
    const asked = { "no teacher": 0, "teacher beside": all }[name] ?? a.tokens;
    const again = name === "hidden states" ? 2 * head(a.teacher) : 0; // its logits, in each pass
    const seconds = studentSeconds(a) + again / (a.gpu_flops * a.student_use);
    const teacherHours = (asked * teacherSeconds(a)) / SECONDS_PER_HOUR;
    const studentHours = (all * seconds) / SECONDS_PER_HOUR;
    const storage = ((a.tokens * stored) / 1e12) * a.terabyte_month * a.months;
    return {
      bytesPerToken: stored, storedBytes: a.tokens * stored, teacherHours, studentHours, storage,
      dollars: storage + a.gpu_hour * (teacherHours + studentHours),
    };
  }

  const bills = (a) => Object.fromEntries(
    Object.entries(bytesPerToken(a)).map(([name, stored]) => [name, bill(a, name, stored)]));

  function passesThatPay(a, name) {
    // From how many passes on a cache is cheaper than a teacher beside; never is Infinity.
    const { [name]: cached, "teacher beside": beside } = bills(a);
    const besideHours = beside.teacherHours + beside.studentHours;
    const saved = ((besideHours - cached.studentHours) / a.passes) * a.gpu_hour;
    const once = cached.dollars - cached.studentHours * a.gpu_hour;
    return saved > 0 ? once / saved : Infinity;
  }

  Object.assign(Explorables, {
    CACHES, parameters, forwardFlops, trainingFlops, bytesPerToken, bills, passesThatPay,
  });
})();
