import { ortHere } from "../../core/place.js";
import { emptyData, isBigInt, sizeOf, type Tensor, type TensorData } from "../../core/tensor.js";
import { tfTypeOf } from "../../graph-model/format.js";
import type { Interval } from "../../graph-model/integers.js";
import { type DeviceTensor, InputError } from "../../runtime/runtime.js";
import type { TfCore, TfTensor } from "./packages.js";

/** A tensor on the host, on a backend, or on both. */
export interface TfjsTensor extends DeviceTensor {
  /** as it was uploaded, every bit of it */
  readonly host: Tensor | null;
  tf: TfTensor | null;
  isDisposed: boolean;
}

/** Tensors of a backend. Those that nobody holds are freed with the garbage. */
export class TfjsMemory {
  readonly #forgotten = new FinalizationRegistry((value: TfTensor) => value.dispose());

  constructor(
    readonly name: string,
    readonly core: TfCore,
  ) {}

  upload(host: Tensor): TfjsTensor {
    return { dtype: host.dtype, shape: host.shape, host, tf: null, isDisposed: false };
  }

  /** What a model has computed. */
  take(dtype: DeviceTensor["dtype"], tf: TfTensor): TfjsTensor {
    const taken: TfjsTensor = { dtype, shape: [...tf.shape], host: null, tf, isDisposed: false };
    this.#forgotten.register(taken, tf, taken);
    return taken;
  }

  /** The tensor as a model takes it. @throws {InputError} if it has been disposed of */
  give(input: string, value: TfjsTensor): TfTensor {
    if (value.isDisposed) throw new InputError(`The tensor for "${input}" has been disposed of.`);
    if (value.tf === null) {
      const { dtype, shape, data } = value.host!;
      const isOwn = dtype === "float32" || dtype === "bool";
      const numbers = isOwn
        ? (data as Float32Array)
        : Int32Array.from(data as ArrayLike<number | bigint>, Number);
      value.tf = this.core.tensor(numbers, [...shape], tfTypeOf(dtype));
      this.#forgotten.register(value, value.tf, value);
    }
    return value.tf;
  }

  /** @throws {InputError} for integers that are not in an interval */
  async check(input: string, value: TfjsTensor, [low, high]: Interval): Promise<void> {
    if (value.dtype === "bool" || value.isDisposed) return;
    const { data } = value.host ?? (await this.download(value));
    for (const element of data) {
      if (element >= low && element <= high) continue;
      throw new InputError(
        `Input "${input}" holds ${element}, but ${this.name} takes from ${low} to ${high} for it: what it indexes is not longer, or ` +
          `its integers are not exact beyond. The runtimes jit and ${ortHere()} take any.`,
      );
    }
  }

  async download({ dtype, shape, host, tf }: TfjsTensor): Promise<Tensor> {
    if (host !== null) return { ...host, data: host.data.slice() } as Tensor;
    const found = await tf!.data();
    const data = emptyData(dtype, sizeOf(shape)) as TensorData;
    if (isBigInt(dtype))
      found.forEach((element, i) => {
        data[i] = BigInt(element);
      });
    else (data as Float32Array).set(found);
    return { dtype, shape, data } as Tensor;
  }

  dispose(value: TfjsTensor): void {
    if (value.isDisposed) return;
    value.isDisposed = true;
    this.#forgotten.unregister(value);
    value.tf?.dispose();
  }
}
