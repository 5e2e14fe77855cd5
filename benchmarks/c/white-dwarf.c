/*
 * The limit: one gradient of the white-dwarf experiment, written by hand for this one perceptron (3-10-2, tanh) and
 * this one method (coupled midpoint, batch 1, float64).
 *
 *   stdin:  steps, repeats, then W0 [10][3], b0 [10], W1 [2][10], b1 [2], then the targets [steps][2]
 *   stdout: median microseconds per step, the loss, and the sum of squares of the parameters' gradient
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define H 10
static const double lambda = 0.999;

typedef struct {
  double w0[3][H], b0[H], w1[2][H], b1[2];
} Parameters;

/* f(t, y); x and a are what the pullback needs */
static void field(const Parameters *p, double t, const double *y, double *a, double *out) {
  for (int i = 0; i < H; i++) a[i] = tanh(p->b0[i] + p->w0[0][i] * t + p->w0[1][i] * y[0] + p->w0[2][i] * y[1]);
  for (int o = 0; o < 2; o++) {
    double sum = p->b1[o];
    for (int i = 0; i < H; i++) sum += p->w1[o][i] * a[i];
    out[o] = sum;
  }
}

/* adds to g, and to yBar, the pullback of outBar */
static void pull(const Parameters *p, double t, const double *y, const double *a, const double *outBar, Parameters *g,
                 double *yBar) {
  double zBar[H];
  for (int o = 0; o < 2; o++) {
    g->b1[o] += outBar[o];
    for (int i = 0; i < H; i++) g->w1[o][i] += outBar[o] * a[i];
  }
  for (int i = 0; i < H; i++) zBar[i] = (p->w1[0][i] * outBar[0] + p->w1[1][i] * outBar[1]) * (1 - a[i] * a[i]);
  double s0 = 0, s1 = 0;
  for (int i = 0; i < H; i++) {
    g->b0[i] += zBar[i];
    g->w0[0][i] += zBar[i] * t;
    g->w0[1][i] += zBar[i] * y[0];
    g->w0[2][i] += zBar[i] * y[1];
    s0 += p->w0[1][i] * zBar[i];
    s1 += p->w0[2][i] * zBar[i];
  }
  yBar[0] += s0;
  yBar[1] += s1;
}

/* what an increment leaves for its pullback */
typedef struct {
  double t, th, h, y[2], yh[2], a[H], ah[H];
} Tape;

/* the midpoint rule: h f(t + h/2, y + h/2 f(t, y)) */
static void psi(const Parameters *p, double h, double t, const double *y, Tape *tape, double *out) {
  double k[2];
  tape->h = h;
  tape->t = t;
  tape->th = t + h / 2;
  memcpy(tape->y, y, sizeof tape->y);
  field(p, t, y, tape->a, k);
  tape->yh[0] = y[0] + h / 2 * k[0];
  tape->yh[1] = y[1] + h / 2 * k[1];
  field(p, tape->th, tape->yh, tape->ah, k);
  out[0] = h * k[0];
  out[1] = h * k[1];
}

static void psiBack(const Parameters *p, const Tape *tape, const double *bar, Parameters *g, double *yBar) {
  double kBar[2] = {tape->h * bar[0], tape->h * bar[1]}, inner[2] = {0, 0};
  pull(p, tape->th, tape->yh, tape->ah, kBar, g, inner);
  double first[2] = {tape->h / 2 * inner[0], tape->h / 2 * inner[1]};
  yBar[0] += inner[0];
  yBar[1] += inner[1];
  pull(p, tape->t, tape->y, tape->a, first, g, yBar);
}

static double gradient(const Parameters *p, int steps, const double (*target)[2], double (*ys)[2], Parameters *g) {
  double y[2] = {1, 0}, z[2] = {1, 0}, d[2], loss = 0, h = 5.0 / steps;
  Tape first, second;
  memset(g, 0, sizeof *g);
  for (int n = 0; n < steps; n++) {
    psi(p, h, n * h, z, &first, d);
    for (int i = 0; i < 2; i++) y[i] = lambda * (y[i] - z[i]) + (z[i] + d[i]);
    psi(p, -h, (n + 1) * h, y, &second, d);
    for (int i = 0; i < 2; i++) {
      z[i] -= d[i];
      ys[n][i] = y[i];
      loss += (y[i] - target[n][i]) * (y[i] - target[n][i]);
    }
  }
  double yBar[2] = {0, 0}, zBar[2] = {0, 0}, bar[2];
  for (int n = steps - 1; n >= 0; n--) {
    for (int i = 0; i < 2; i++) yBar[i] += (ys[n][i] - target[n][i]) / steps;
    psi(p, -h, (n + 1) * h, y, &second, d);
    for (int i = 0; i < 2; i++) {
      z[i] += d[i];
      bar[i] = -zBar[i];
    }
    psiBack(p, &second, bar, g, yBar);
    psi(p, h, n * h, z, &first, d);
    for (int i = 0; i < 2; i++) y[i] = z[i] + (y[i] - z[i] - d[i]) / lambda;
    for (int i = 0; i < 2; i++) zBar[i] += (1 - lambda) * yBar[i];
    psiBack(p, &first, yBar, g, zBar);
    for (int i = 0; i < 2; i++) yBar[i] *= lambda;
  }
  return loss / (2 * steps);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec * 1e-3;
}

static int ascending(const void *a, const void *b) {
  double d = *(const double *)a - *(const double *)b;
  return (d > 0) - (d < 0);
}

static double number(void) {
  double x;
  if (scanf("%lf", &x) != 1) exit(1);
  return x;
}

int main(void) {
  int steps = (int)number(), repeats = (int)number();
  Parameters p, g;
  for (int i = 0; i < H; i++)
    for (int j = 0; j < 3; j++) p.w0[j][i] = number();
  for (int i = 0; i < H; i++) p.b0[i] = number();
  for (int o = 0; o < 2; o++)
    for (int i = 0; i < H; i++) p.w1[o][i] = number();
  for (int o = 0; o < 2; o++) p.b1[o] = number();
  double(*target)[2] = malloc(sizeof(double[2]) * steps), (*ys)[2] = malloc(sizeof(double[2]) * steps);
  for (int n = 0; n < steps; n++)
    for (int i = 0; i < 2; i++) target[n][i] = number();
  double *times = malloc(sizeof(double) * repeats), loss = 0;
  for (int r = 0; r < repeats; r++) {
    double started = now();
    loss = gradient(&p, steps, (const double(*)[2])target, ys, &g);
    times[r] = (now() - started) / steps;
  }
  qsort(times, repeats, sizeof(double), ascending);
  double squares = 0;
  for (size_t i = 0; i < sizeof g / sizeof(double); i++) squares += ((double *)&g)[i] * ((double *)&g)[i];
  printf("%.6f %.17g %.17g\n", times[repeats / 2], loss, squares);
  return 0;
}
