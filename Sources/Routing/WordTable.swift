internal import Wire

/// Numbers for words that come again and again, such as the types of messages, so that a record can
/// keep one in four bytes.
///
/// It only grows, up to a bound; words that come after that are not kept.
struct WordTable: ~Copyable {
  private var table = ByteTable()
  private var words: [UnsafeRawBufferPointer] = []
  private static let wordsMax: Int = 4096
  private static let bytesMax = 256

  /// The word's number, or -1 for the empty word and for those that are not kept.
  mutating func number(_ word: UnsafeRawBufferPointer) -> Int32 {
    guard word.count > 0 else { return -1 }
    if let number = table.find(word) { return number }
    guard words.count < Self.wordsMax, word.count <= Self.bytesMax else { return -1 }
    let number = Int32(words.count)
    words.append(table.insert(word, number))
    return number
  }

  func bytes(of number: Int32) -> UnsafeRawBufferPointer {
    number < 0 ? UnsafeRawBufferPointer(start: nil, count: 0) : words[Int(number)]
  }
}
