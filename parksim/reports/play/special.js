// Special functions: those of stats/special.py that intervals and laws need.

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

// Lanczos' approximation, good to 1e-15 (Numerical Recipes, section 6.1, with g = 7).
function logGamma(x) {
  if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) - logGamma(1 - x);
  const base = x - 1 + 7.5;
  let sum = LANCZOS[0];
  for (let n = 1; n < 9; n += 1) sum += LANCZOS[n] / (x - 1 + n);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(base) - base + Math.log(sum);
}

function stirlingExcess(x) {
  const inverse = 1 / (x * x);
  let series = 1 / 1188 - (inverse * 691) / 360360;
  for (const coefficient of [-1 / 1680, 1 / 1260, -1 / 360, 1 / 12]) series = coefficient + inverse * series;
  return series / x;
}

function logGammaStep(large, step) {
  const total = large + step;
  return (
    (large - 0.5) * Math.log1p(step / large) +
    step * (Math.log(total) - 1) +
    (stirlingExcess(total) - stirlingExcess(large))
  );
}

function logBetaPart(a, b, x, y) {
  if (a >= 10 && b >= 10) {
    const total = a + b,
      offX = (x * b - y * a) / a,
      offY = (y * a - x * b) / b;
    return (
      0.5 * Math.log((a * b) / (2 * Math.PI * total)) +
      a * (offX > -0.5 ? Math.log1p(offX) : Math.log((x * total) / a)) +
      b * (offY > -0.5 ? Math.log1p(offY) : Math.log((y * total) / b)) +
      (stirlingExcess(total) - stirlingExcess(a) - stirlingExcess(b))
    );
  }
  const small = Math.min(a, b),
    large = Math.max(a, b);
  const logBeta =
    large >= 10 ? logGamma(small) - logGammaStep(large, small) : logGamma(a) + logGamma(b) - logGamma(a + b);
  const [logX, logY] = y < x ? [Math.log1p(-y), Math.log(y)] : [Math.log(x), Math.log1p(-x)];
  return a * logX + b * logY - logBeta;
}

function betaFraction(a, b, x) {
  const tiny = 1e-300,
    held = (value) => (Math.abs(value) > tiny ? value : tiny);
  let c = 1,
    d = 1 / held(1 - ((a + b) * x) / (a + 1)),
    value = d;
  for (let m = 1; m < 100000; m += 1) {
    for (const numerator of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / held(1 + numerator * d);
      c = held(1 + numerator / c);
      value *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return value;
}

function betaTails(a, b, x, y) {
  if (x <= 0) return [0, 1];
  if (y <= 0) return [1, 0];
  const front = Math.exp(logBetaPart(a, b, x, y));
  if (x * (a + b + 2) < a + 1) {
    const lower = Math.min(1, (front * betaFraction(a, b, x)) / a);
    return [lower, 1 - lower];
  }
  const upper = Math.min(1, (front * betaFraction(b, a, y)) / b);
  return [1 - upper, upper];
}

function solveBeta(a, b, lower, upper) {
  const fromBelow = lower <= upper,
    target = Math.log(fromBelow ? lower : upper);
  let low = -745,
    high = 0,
    u = Math.log(a / (a + b));
  for (let turn = 0; turn < 200; turn += 1) {
    const x = Math.exp(u),
      y = -Math.expm1(u),
      tail = betaTails(a, b, x, y)[fromBelow ? 0 : 1];
    const logarithm = tail > 0 ? Math.log(tail) : -Infinity;
    if (logarithm < target === fromBelow) low = u;
    else high = u;
    let step = NaN;
    if (tail > 0 && tail < 1 && y > 0) {
      const slope = Math.exp(logBetaPart(a, b, x, y)) / y / tail;
      if (slope > 0) step = u - (logarithm - target) / (fromBelow ? slope : -slope);
    }
    if (!(low < step && step < high)) step = 0.5 * (low + high);
    if (Math.abs(step - u) <= 2e-16 * Math.max(1, Math.abs(u)) || !(low < step && step < high)) return Math.exp(step);
    u = step;
  }
  return Math.exp(u);
}

function betaQuantile(a, b, probability) {
  if (probability === 0 || probability === 1) return probability;
  const [lower, upper] = betaTails(a, b, 0.5, 0.5);
  if (probability <= lower || upper === 0) return solveBeta(a, b, probability, 1 - probability);
  return 1 - solveBeta(b, a, 1 - probability, probability);
}

const quantilesKept = new Map();

// Return how many standard errors a two-sided t interval of the study's level reaches.
function tOf(df) {
  if (!quantilesKept.has(df)) {
    const tail = tailOf(),
      lower = betaTails(0.5 * df, 0.5, 0.5, 0.5)[0];
    const x = 2 * tail <= lower ? solveBeta(0.5 * df, 0.5, 2 * tail, 2 * (0.5 - tail)) : null;
    const y = x === null ? solveBeta(0.5, 0.5 * df, 2 * (0.5 - tail), 2 * tail) : null;
    quantilesKept.set(df, Math.sqrt(df * (x === null ? y / (1 - y) : (1 - x) / x)));
  }
  return quantilesKept.get(df);
}

const tailOf = () => 0.5 * (1 - MODEL.level);

// Return the regularized upper incomplete gamma function, P(X > x) of a gamma variable of this shape.
function upperGamma(shape, x) {
  if (!(x > 0)) return 1;
  if (x === Infinity) return 0;
  const front = gammaFront(shape, x);
  if (x < shape + 1) {
    let term = 1 / shape,
      sum = term;
    for (let n = 1; n < 100000 && term > 1e-16 * sum; n += 1) sum += term *= x / (shape + n);
    return Math.min(1, Math.max(0, 1 - front * sum));
  }
  let b = x + 1 - shape,
    c = 1e300,
    d = 1 / b,
    value = d;
  for (let n = 1; n < 100000; n += 1) {
    const numerator = -n * (n - shape);
    b += 2;
    d = 1 / (numerator * d + b);
    c = b + numerator / c;
    value *= d * c;
    if (Math.abs(d * c - 1) <= 4e-16) break;
  }
  return Math.min(1, Math.max(0, front * value));
}

function gammaFront(shape, x) {
  if (shape < 20) return Math.exp(shape * Math.log(x) - x - logGamma(shape));
  const distance = (x - shape) / shape,
    series = 1 / (12 * shape) - 1 / (360 * shape ** 3) + 1 / (1260 * shape ** 5);
  const logarithm = distance > -0.5 ? Math.log1p(distance) : Math.log(x) - Math.log(shape);
  return Math.exp(-shape * (distance - logarithm) - series) * Math.sqrt(shape / (2 * Math.PI));
}

const normalAbove = (score) => {
  const half = 0.5 * upperGamma(0.5, 0.5 * score * score);
  return score >= 0 ? half : 1 - half;
};

// Laws: mean and survival ---------------------------------------------------------------------------------------------

function meanOf(law) {
  if (law.kind === "constant") return law.value;
  if (law.kind === "lognormal") return law.mean ?? law.median * Math.exp((law.sd * law.sd) / 2);
  if (law.kind === "hyperexponential")
    return law.means.reduce((sum, mean, place) => sum + mean * law.weights[place], 0);
  if (law.kind === "uniform") return (law.low + law.high) / 2;
  if (law.kind === "weibull") return law.mean ?? law.scale * Math.exp(logGamma(1 + 1 / law.shape));
  if (law.kind === "empirical") return sumOf(sortedOf(law)) / sortedOf(law).length;
  return law.mean;
}

// Return P(X > t) as a function of t in seconds.
function survivalOf(law) {
  const exponential = (mean) => (t) => (mean === 0 ? (t < 0 ? 1 : 0) : Math.exp(-Math.max(t, 0) / mean));
  if (meanOf(law) === 0) return (t) => (t < 0 ? 1 : 0);
  return {
    constant: () => (t) => (t < law.value ? 1 : 0),
    exponential: () => exponential(law.mean),
    lognormal: () => {
      const middle = Math.log(medianOf(law));
      return (t) => (t > 0 ? normalAbove((Math.log(t) - middle) / law.sd) : 1);
    },
    hyperexponential: () => {
      const parts = law.means.map(exponential);
      return (t) => parts.reduce((sum, part, place) => sum + law.weights[place] * part(t), 0);
    },
    gamma: () => (t) => upperGamma(law.shape, t * (law.shape / law.mean)),
    weibull: () => (t) => Math.exp(-((Math.max(t, 0) / scaleOf(law)) ** law.shape)),
    uniform: () =>
      law.low === law.high
        ? (t) => (t < law.low ? 1 : 0)
        : (t) => Math.min(1, Math.max(0, (law.high - t) / (law.high - law.low))),
    empirical: () => (t) => 1 - below(sortedOf(law), t, true) / sortedOf(law).length,
  }[law.kind]();
}
