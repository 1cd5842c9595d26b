import { type ValueInfoProto, writeValueInfo } from '@gauntlet/onnx';

/** A graph output that leaves its type to ONNX Runtime. */
export function untyped(name: string): ValueInfoProto {
  const info = writeValueInfo(name, 'float32');
  delete info.type;
  return info;
}
