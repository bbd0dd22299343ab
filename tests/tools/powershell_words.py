# SPDX-License-Identifier: MIT
"""As much of PowerShell as hv cp's scripts for Windows use, and what they call of .NET, on a folder that stands for
drive C:. What it does not know it refuses, so that a script cannot say something here that is passed over."""
import hashlib, os, re

TOKEN = re.compile(
    r"[ \t]+|(?P<end>[;\n\r]+)|(?P<single>'(?:[^'‘’‚‛]|['‘’‚‛]{2})*['‘’‚‛])"
    r"|(?P<variable>\$(?:env:)?\w+)|(?P<type>\[[A-Z][\w.]*\])|(?P<number>\d+)|(?P<operator>-(?:ne|ge|and)\b)"
    r"|(?P<option>-[A-Z]\w+)|(?P<word>[A-Za-z][\w-]*)|(?P<mark>::|[(){}=.,+])")


class Thrown(Exception):
    """An exception of .NET or of `throw`."""


class Exit(Exception):
    """exit N."""


class Files:
    """[IO.File], [IO.Directory] and [IO.Path] of drive C:; `trouble` is what is to go wrong."""

    def __init__(self, drive, is_open, trouble):
        self.drive, self.is_open, self.trouble = drive, is_open, trouble

    def local(self, path):
        if not re.match(r"[Cc]:\\", path):
            raise Thrown(f"Could not find a part of the path '{path}'.")
        return self.drive + "/" + path[3:].replace("\\", "/")

    def free(self, path):
        if self.is_open(self.local(path)) or ("used" in self.trouble() and ".hv-" not in path):
            raise Thrown("The process cannot access the file because it is being used by another process.")
        return self.local(path)

    def full_path(self, path):
        path = path.replace("/", "\\")
        return path if re.match(r"[A-Za-z]:\\", path) else "C:\\Windows\\System32\\" + path

    def combine(self, folder, name):
        return folder + ("" if folder.endswith("\\") else "\\") + name

    def create(self, path, mode):
        assert mode == "CreateNew"
        try:
            with open(self.local(path), "x", encoding="utf-8"):
                return None
        except FileNotFoundError as e:
            raise Thrown(f"Could not find a part of the path '{path}'.") from e

    def exists(self, path):
        return os.path.isfile(self.local(path))

    def move(self, source, target):
        if os.path.lexists(self.local(target)):
            raise Thrown("Cannot create a file when that file already exists.")
        os.rename(self.free(source), self.local(target))

    def replace(self, source, target, backup, ignore):
        assert backup is None and ignore is True
        if self.get_attributes(target) == "ReadOnly":
            raise Thrown("Access to the path is denied.")
        if not self.exists(target):
            raise Thrown("Could not find file.")
        os.replace(self.free(source), self.free(target))

    def delete(self, path):
        place = self.free(path)
        if os.path.exists(place):
            os.remove(place)

    def get_attributes(self, path):
        return "Normal" if os.stat(self.local(path)).st_mode & 0o200 else "ReadOnly"

    def set_attributes(self, path, value):
        os.chmod(self.local(path), {"Normal": 0o644, "ReadOnly": 0o444}[value])

    def hash(self, path):
        try:
            with open(self.free(path), "rb") as file:
                data = file.read()
        except OSError as e:
            raise Thrown(f"The file '{path}' cannot be read: Access to the path is denied.") from e
        if "hash" in self.trouble():
            data += b"x"
        return hashlib.sha256(data).hexdigest().upper()


class Script:
    """A recursive descent that carries out what it reads."""

    def __init__(self, text, files):
        self.tokens, at = [], 0
        while at < len(text):
            found = TOKEN.match(text, at)
            if not found:
                raise SyntaxError(text[at : at + 40])
            at = found.end()
            if found.lastgroup:
                self.tokens.append((found.lastgroup, found[0]))
        self.at, self.runs = 0, True
        self.values, self.functions = {"true": True}, {}
        self.out, self.err = bytearray(), bytearray()
        self.statics = {
            "[IO.Path]GetFullPath": files.full_path, "[IO.Path]Combine": files.combine,
            "[IO.Path]GetInvalidFileNameChars": lambda: '"<>|:*?\\/' + "".join(map(chr, range(32))),
            "[IO.Directory]Exists": lambda path: os.path.isdir(files.local(path)),
            "[IO.File]Exists": files.exists, "[IO.File]Open": files.create, "[IO.File]Move": files.move,
            "[IO.File]Replace": files.replace, "[IO.File]Delete": files.delete,
            "[IO.File]GetAttributes": files.get_attributes, "[IO.File]SetAttributes": files.set_attributes,
            "[Console]OpenStandardOutput": lambda: self.out, "[Console]OpenStandardError": lambda: self.err,
        }
        self.members = {
            "Dispose": lambda file: None, "Flush": lambda stream: None, "GetBaseException": lambda fault: fault,
            "GetBytes": lambda encoding, text: text.encode(encoding),
            "Write": lambda stream, data, offset, n: stream.extend(data[offset : offset + n]),
            "IndexOfAny": lambda text, chars: next((i for i, c in enumerate(text) if c in chars), -1),
        }
        self.fields = {"Length": len, "Message": str, "Exception": lambda record: record, "Hash": lambda h: h}
        self.files = files

    def peek(self, *wanted):
        return self.at < len(self.tokens) and self.tokens[self.at][1] in wanted

    def kind(self):
        return self.tokens[self.at][0] if self.at < len(self.tokens) else None

    def take(self, *wanted):
        text = self.tokens[self.at][1]
        if wanted and text not in wanted:
            raise SyntaxError(f"{text}, not {wanted}")
        self.at += 1
        return text

    def run(self):
        try:
            self.statements()
            return 0
        except Exit as e:
            return e.args[0]

    def statements(self):
        while self.at < len(self.tokens) and not self.peek("}"):
            if self.kind() == "end":
                self.at += 1
            else:
                self.statement()

    def block(self, runs=True):
        """What stands in { }, or over it."""
        before, self.runs = self.runs, self.runs and runs
        try:
            self.take("{")
            self.statements()
            self.take("}")
        finally:
            self.runs = before

    def statement(self):
        word = self.tokens[self.at][1]
        if word == "function":
            self.function()
        elif word == "try":
            self.guarded()
        elif word == "if":
            self.take()
            self.take("(")
            holds = self.expression()
            self.take(")")
            self.block(holds)
            if self.peek("else"):
                self.take()
                self.block(not holds)
        elif word in ("throw", "exit"):
            self.take()
            value = self.expression()
            if self.runs:
                raise Thrown(value) if word == "throw" else Exit(value)
        elif self.kind() == "variable" and self.tokens[self.at + 1][1] == "=":
            self.at += 2
            value = self.expression()
            if self.runs:
                self.values[word[1:]] = value or None if word.startswith("$env:") else value
        elif self.kind() == "word":
            self.command()
        else:
            self.expression()

    def function(self):
        self.take()
        name, names = self.take(), []
        self.take("(")
        while not self.peek(")"):
            names.append(self.take()[1:])
            if self.peek(","):
                self.take()
        self.take(")")
        self.functions[name] = names, self.at
        self.block(False)

    def guarded(self):
        self.take()
        begin, fault = self.at, None
        try:
            self.block()
        except Thrown as e:
            # On behind the block that was left.
            fault, self.at = e, begin
            self.block(False)
        if self.peek("catch"):
            self.take()
            self.values["_"] = fault
            self.block(fault is not None)
            fault = None
        if self.peek("finally"):
            self.take()
            self.block()
        if fault:
            raise fault

    def command(self):
        name = self.take()
        if name == "Get-FileHash":
            options = {}
            while self.kind() == "option":
                option = self.take()
                options[option] = self.take() if self.kind() == "word" else self.primary()
            path = options.pop("-LiteralPath")
            assert options == {"-Algorithm": "SHA256", "-ErrorAction": "Stop"}, options
            return self.files.hash(path) if self.runs else None
        names, body = self.functions[name]
        values = [self.primary() for _ in names]
        if self.runs:
            back, self.at = self.at, body
            self.values.update(zip(names, values))
            self.block()
            self.at = back
        return None

    def expression(self):
        value = self.sum()
        while self.kind() == "operator":
            operator = self.take()
            if operator == "-and":
                before, self.runs = self.runs, self.runs and bool(value)
                other = self.expression()
                self.runs = before
                value = bool(value) and bool(other)
            else:
                other = self.sum()
                if self.runs:
                    value = value.lower() != other.lower() if operator == "-ne" else value >= other
        return value

    def sum(self):
        value = self.primary()
        while self.peek("+"):
            self.take()
            other = self.primary()
            value = value + other if self.runs else None
        return value

    def arguments(self):
        values = []
        self.take("(")
        while not self.peek(")"):
            values.append(self.sum())
            if self.peek(","):
                self.take()
        self.take(")")
        return values

    def primary(self):
        kind, text = self.kind(), self.take()
        if kind == "single":
            value = re.sub("['‘’‚‛](['‘’‚‛])", r"\1", text[1:-1])
        elif kind == "variable":
            value = self.values.get(text[1:])
        elif kind == "number":
            value = int(text)
        elif kind == "type":
            self.take("::")
            name = text + self.take()
            if self.peek("("):
                values = self.arguments()
                value = self.statics[name](*values) if self.runs else None
            else:
                value = {"[Text.Encoding]UTF8": "utf-8", "[NullString]Value": None}[name]
        elif text == "(":
            value = self.command() if self.kind() == "word" else self.expression()
            self.take(")")
        else:
            raise SyntaxError(text)
        while self.peek("."):
            self.take()
            name = self.take()
            if self.peek("("):
                values = self.arguments()
                value = self.members[name](value, *values) if self.runs else None
            else:
                value = self.fields[name](value) if self.runs else None
        return value
