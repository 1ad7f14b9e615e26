import Testing

/// The rules themselves, tried on what they must and must not see.
@Suite struct ScopeTests {
  private func code(_ text: String) -> [String] { SwiftFile(path: "x.swift", text: text).code }

  @Test func commentsAndTextsAreNoCode() {
    #expect(self.code("a // print(1)\nb") == ["a            ".trimmed + " ".times(12), "b"])
    #expect(self.code("/* a /* b */ c */d") == [" ".times(17) + "d"])
    #expect(self.code(#"x("try! \(f("y", z)) q")w"#).first?.contains("try!") == false)
    #expect(self.code(#"x("try! \(f("y", z)) q")w"#).first?.contains("z)") == true)
    #expect(self.code("#\"a \\(b) \" c\"#d") == [" ".times(14) + "d"])
    #expect(self.code("\"\"\"\nprint(\n\"\"\"\ne") == ["   ", "      ", "   ", "e"])
  }

  @Test func functionsAreMeasuredWithTheirBodies() {
    let text = """
      protocol P {
        func requirement(a: Int)
          async throws -> Int
        init()
      }
      struct S {
        init(
          a: Int,
          b: () -> Void = {}
        ) {
          a()
        }
        func one() { 1 }
        func long<A>(a: A)
          where A: P
        {
          if a {
          }
        }
      }
      """
    let found = FunctionLength.inSwift(SwiftFile(path: "x.swift", text: text))
    #expect(found.map(\.line) == [7, 13, 14])
    #expect(found.map(\.lines) == [6, 1, 6])
  }

  @Test func pythonFunctionsEndWithTheirIndentation() {
    let lines = [
      "class A:", "    async def a(", "        self,", "    ) -> None:", "        x", "",
      "        y", "", "    def b(self): ...", "z",
    ]
    let found = FunctionLength.inPython(lines)
    #expect(found.map(\.line) == [2, 9])
    #expect(found.map(\.lines) == [6, 1])
  }
}

extension String {
  fileprivate func times(_ count: Int) -> String { String(repeating: self, count: count) }
  fileprivate var trimmed: String { String(self.prefix { $0 != " " }) }
}
