/** A step on y' = α y as a matrix of polynomials in x = α h: 1 × 1, or 2 × 2 for a method with a second state. */
export type StepMatrix =
  | readonly [readonly [Polynomial]]
  | readonly [readonly [Polynomial, Polynomial], readonly [Polynomial, Polynomial]];

/** A real polynomial in x, by its coefficients from that of x⁰ on. */
export type Polynomial = readonly number[];
