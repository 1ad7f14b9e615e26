import TestSupport
import Wire

/// A header together with the bytes that its slices point into.
final class ScannedHeader {
  let header = Header()
  let fault: HeaderFault?
  private let text: UnsafeMutableRawBufferPointer

  init(_ bytes: [UInt8]) {
    text = .allocate(byteCount: bytes.count, alignment: 1)
    text.copyBytes(from: bytes)
    fault = header.scan(text)
  }

  deinit {
    text.deallocate()
  }

  var operation: Operation { header.operation }

  func text(_ field: StringField) -> String { String(decoding: bytes(field), as: UTF8.self) }

  func bytes(_ field: StringField) -> [UInt8] {
    withExtendedLifetime(self) { Array(header[field]) }
  }

  func text(_ field: ObjectField) -> String {
    withExtendedLifetime(self) { header[field].text }
  }

  func json() throws -> SpelledJSON {
    try withExtendedLifetime(self) { try HeaderSnapshot.json(header) }
  }
}

func scan(_ text: String) throws -> ScannedHeader { try scan(Array(text.utf8)) }

/// The header in `bytes`; throws the fault of one that cannot be trusted.
func scan(_ bytes: [UInt8]) throws -> ScannedHeader {
  let scanned = ScannedHeader(bytes)
  if let fault = scanned.fault { throw fault }
  return scanned
}
