import TestSupport
import Testing
import Wire

@Suite struct ByteTableTests {
  private struct Key: Hashable {
    let bytes: [UInt8]
    let salt: UInt32
  }

  @Test func randomOperationsAgreeWithADictionary() {
    var generator = SeededGenerator(for: "randomOperationsAgreeWithADictionary")
    for round in 0..<20 {
      var table = ByteTable()
      var model: [Key: Int32] = [:]
      // Few keys collide often; many make the table grow.
      let keys = (0..<[8, 60, 3000][round % 3]).map { _ in
        Key(
          bytes: generator.bytes(Int.random(in: 0...20, using: &generator)),
          salt: UInt32.random(in: 0...2, using: &generator))
      }
      for step in 0..<4000 {
        let key = keys.randomElement(using: &generator)!
        key.bytes.withUnsafeBytes { bytes in
          #expect(
            table.find(bytes, salt: key.salt) == model[key],
            "seed \(generator.seed) round \(round) step \(step)")
          if model[key] == nil {
            table.insert(bytes, salt: key.salt, Int32(step))
            model[key] = Int32(step)
          } else if Bool.random(using: &generator) {
            table.remove(bytes, salt: key.salt)
            model[key] = nil
          }
        }
      }
      #expect(table.count == model.count, "seed \(generator.seed) round \(round)")
      for key in Set(keys) {
        let found = key.bytes.withUnsafeBytes { table.find($0, salt: key.salt) }
        #expect(found == model[key], "seed \(generator.seed) round \(round)")
      }
    }
  }

  @Test func keysAreBytesNotCharacters() {
    var table = ByteTable()
    let composed = Array("caf\u{e9}".utf8)
    let decomposed = Array("cafe\u{301}".utf8)
    composed.withUnsafeBytes { _ = table.insert($0, 1) }
    decomposed.withUnsafeBytes { #expect(table.find($0) == nil) }
    decomposed.withUnsafeBytes { _ = table.insert($0, 2) }
    composed.withUnsafeBytes { #expect(table.find($0) == 1) }
    decomposed.withUnsafeBytes { #expect(table.find($0) == 2) }
  }

  @Test func theCopyOfAKeyStaysWhileTheTableGrows() {
    var table = ByteTable()
    let first = Array("first".utf8).withUnsafeBytes { table.insert($0, 0) }
    for number in 1...5000 {
      Array("key\(number)".utf8).withUnsafeBytes { _ = table.insert($0, Int32(number)) }
    }
    #expect(first.text == "first")
    #expect(table.find(first) == 0)
  }

  @Test func removingWhatIsNotThereChangesNothing() {
    var table = ByteTable()
    Array("a".utf8).withUnsafeBytes { _ = table.insert($0, salt: 1, 5) }
    Array("a".utf8).withUnsafeBytes { table.remove($0, salt: 2) }
    Array("b".utf8).withUnsafeBytes { table.remove($0, salt: 1) }
    #expect(table.count == 1)
    Array("a".utf8).withUnsafeBytes { #expect(table.find($0, salt: 1) == 5) }
  }
}
