"""The losses of ten updates of the published normalising flow of two moons, written out in JAX, from points and parameters
that are given by formulas: `python two-moons.py > two-moons.json` (jax 0.10.2).

The published training goes from t = 1 to 0 by undoing steps, and couples no integral:
    z0 = z1 + psi(-h, t1, y1),  y0 = y1 / lam + (1 - 1 / lam) z0 - psi(h, t0, z0) / lam,  I0 = I1 + psi_I(-h, t1, y1)
"""
import json

import jax
import jax.numpy as jnp
import numpy as np

count, updates, lam, h, steps = 8, 10, 0.999, 0.01, 100
rate, decay, b1, b2, eps = 1e-3, 1e-4, 0.9, 0.999, 1e-8
widths = [2, 128, 128, 128, 2]


def wave(first, shape, scale):
    """scale sin(0.7 i + first) in the order of the elements"""
    i = np.arange(np.prod(shape), dtype=np.float64)
    return jnp.asarray((scale * np.sin(0.7 * i + first)).reshape(shape), jnp.float32)


def layer(k, fan_in, fan_out):
    return {
        "weight": wave(k, [fan_out, fan_in], 1.5 / fan_in**0.5),
        "bias": wave(k + 10, [fan_out], 0.3),
        "gate.weight": wave(k + 20, [fan_out, 1], 0.5),
        "gate.bias": wave(k + 30, [fan_out], 0.5),
        "shift.weight": wave(k + 40, [fan_out, 1], 0.5),
    }


angle = np.arange(count) * 0.9
points = np.stack([2 * np.cos(angle), np.sin(1.7 * angle) - 0.3], 1)
x = jnp.asarray((points - points.mean()) / points.std(), jnp.float32)


def field(theta, t, y):
    for k, own in enumerate(theta):
        y = y if k == 0 else jnp.tanh(y)
        gate = jax.nn.sigmoid(own["gate.weight"][:, 0] * t + own["gate.bias"])
        y = (own["weight"] @ y + own["bias"]) * gate + own["shift.weight"][:, 0] * t
    return y


def psi(theta, h, t, y):
    """A midpoint step of y, and of -tr df/dy."""
    middle, at = y + h / 2 * field(theta, t, y), t + h / 2
    jacobian = jax.jacfwd(lambda y: field(theta, at, y))(middle)
    return h * field(theta, at, middle), -h * jnp.trace(jacobian)


def log_density(theta, x):
    def undo(carry, t1):
        y, z, integral = carry
        forth, trace = psi(theta, -h, t1, y)
        z = z + forth
        y = y / lam + (1 - 1 / lam) * z - psi(theta, h, t1 - h, z)[0] / lam
        return (y, z, integral + trace), None

    times = jnp.asarray(1 - h * np.arange(steps), jnp.float32)
    (y, _, integral), _ = jax.lax.scan(undo, (x, x, jnp.float32(0)), times)
    return -0.5 * y @ y - jnp.log(2 * jnp.pi) - integral


@jax.jit
def update(theta, first, second, step):
    loss, slope = jax.value_and_grad(lambda theta: -jax.vmap(lambda x: log_density(theta, x))(x).mean())(theta)
    first = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, first, slope)
    second = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, second, slope)
    moved = lambda p, m, v: p - rate * (m / (1 - b1**step) / (jnp.sqrt(v / (1 - b2**step)) + eps) + decay * p)
    return loss, jax.tree.map(moved, theta, first, second), first, second


theta = [layer(k, *sizes) for k, sizes in enumerate(zip(widths, widths[1:]))]
first = second = jax.tree.map(jnp.zeros_like, theta)
losses = []
for step in range(1, updates + 1):
    loss, theta, first, second = update(theta, first, second, float(step))
    losses.append(float(loss))
print(json.dumps({"jax": jax.__version__, "losses": losses}))
