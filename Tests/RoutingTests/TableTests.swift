import TestSupport
import Testing

@testable import Routing

@Suite struct IDTableTests {
  @Test func anEmptyTableKnowsNothing() {
    var table = IDTable()
    #expect(table.find(1) == nil)
    table.remove(1)
    #expect(table.count == 0)
    #expect(table.all().isEmpty)
  }

  @Test func anEntryIsFoundUntilItIsRemoved() {
    var table = IDTable()
    table.insert(3, .made, 30)
    table.insert(2, .hosted, 20)
    #expect(table.find(3)?.index == 30)
    #expect(table.find(3)?.kind == .made)
    #expect(table.find(2)?.kind == .hosted)
    table.remove(3)
    #expect(table.find(3) == nil)
    #expect(table.find(2)?.index == 20)
  }

  @Test func entriesAreListedById() {
    var table = IDTable()
    for id: UInt64 in [9, 2, 1_000_001, 4, 7] { table.insert(id, .made, Int32(id & 0xFF)) }
    #expect(table.all().map(\.id) == [2, 4, 7, 9, 1_000_001])
  }

  /// Ids that share a place, as those do that are a power of two apart, included.
  @Test func theTableAgreesWithADictionary() {
    var random = SeededGenerator(for: "IDTable.theTableAgreesWithADictionary")
    for round in 0..<30 {
      var table = IDTable()
      var dictionary: [UInt64: Int32] = [:]
      var last: UInt64 = 0
      for step in 0..<800 {
        if dictionary.isEmpty || UInt64.random(in: 0..<100, using: &random) < 52 {
          last += round % 3 == 0 ? 1 << UInt64.random(in: 0...20, using: &random) : 2
          table.insert(last, .made, Int32(step))
          dictionary[last] = Int32(step)
        } else {
          let id = dictionary.keys.sorted().randomElement(using: &random)!
          table.remove(id)
          dictionary[id] = nil
        }
        let probe = UInt64.random(in: 1...(last + 3), using: &random)
        #expect(table.find(probe)?.index == dictionary[probe])
        #expect(table.count == dictionary.count)
      }
      #expect(table.all().map(\.id) == dictionary.keys.sorted())
      for (id, index) in dictionary { #expect(table.find(id)?.index == index) }
    }
  }
}

@Suite struct SlabTests {
  @Test func aFreedNumberIsUsedAgainLastFirst() {
    var slab = Slab<Int>()
    let numbers = (0..<3).map { slab.insert($0) }
    #expect(numbers == [0, 1, 2])
    slab.remove(0)
    slab.remove(2)
    #expect(slab.insert(20) == 2)
    #expect(slab.insert(30) == 0)
    #expect(slab.count == 3)
  }

  @Test func aRecordStaysWhereItIsWhileOthersCome() {
    var slab = Slab<Int>()
    let first = slab.insert(42)
    let place = slab.at(first)
    for number in 0..<5_000 { _ = slab.insert(number) }
    #expect(slab.at(first) == place)
    #expect(place.pointee == 42)
  }

  @Test func whatIsInUseIsListedInOrder() {
    var slab = Slab<Int>()
    for number in 0..<600 { _ = slab.insert(number) }
    for number in stride(from: Int32(0), to: 600, by: 3) { slab.remove(number) }
    #expect(slab.indices() == (0..<600).filter { $0 % 3 != 0 })
    let used = [
      slab.isUsed(1), slab.isUsed(3), slab.isUsed(599), slab.isUsed(600), slab.isUsed(-1),
    ]
    #expect(used == [true, false, true, false, false])
  }

  @Test func theSlabAgreesWithADictionary() {
    var random = SeededGenerator(for: "Slab.theSlabAgreesWithADictionary")
    var slab = Slab<UInt64>()
    var dictionary: [Int32: UInt64] = [:]
    for _ in 0..<20_000 {
      if dictionary.isEmpty || UInt64.random(in: 0..<100, using: &random) < 53 {
        let value = UInt64.random(in: 0...UInt64.max, using: &random)
        let index = slab.insert(value)
        #expect(
          dictionary.updateValue(value, forKey: index) == nil, "a number in use was given again")
      } else {
        let index = dictionary.first!.key
        #expect(slab.at(index).pointee == dictionary[index])
        slab.remove(index)
        dictionary[index] = nil
      }
    }
    #expect(slab.count == dictionary.count)
    #expect(slab.indices() == dictionary.keys.sorted())
  }

  @Test func recordsGiveBackWhatTheyHold() {
    final class Witness {}
    weak var removed: Witness?
    weak var kept: Witness?
    do {
      var slab = Slab<Witness>()
      let first = Witness()
      removed = first
      slab.remove(slab.insert(first))
      let second = Witness()
      kept = second
      _ = slab.insert(second)
    }
    #expect(removed == nil)
    #expect(kept == nil)
  }
}
