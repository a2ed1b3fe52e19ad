package golden

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/connectors"
)

// Compare reports a difference between a value and the recorded one.
func Compare(t *testing.T, what string, got, want connectors.SchemaAndValue) {
	t.Helper()
	if g, w := DumpSchema(got.Schema), DumpSchema(want.Schema); g != w {
		t.Errorf("%s schema\n got %s\nwant %s", what, g, w)
	}
	if g, w := Dump(got.Value), Dump(want.Value); g != w {
		t.Errorf("%s value\n got %s\nwant %s", what, g, w)
	}
}

// Dump returns a text that is the same for equal values only; maps are sorted.
func Dump(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(v)
	case []byte:
		return "bytes:" + base64.StdEncoding.EncodeToString(v)
	case float32:
		return "float32:" + string(connectors.AppendFloat(nil, float64(v), 32))
	case float64:
		return "float64:" + string(connectors.AppendFloat(nil, v, 64))
	case time.Time:
		return fmt.Sprintf("instant:%d", v.UnixMilli())
	case connectors.Decimal:
		return fmt.Sprintf("decimal:%s/%d", v.Unscaled, v.Scale)
	case *big.Int:
		return "bigint:" + v.String()
	case []any:
		items := make([]string, len(v))
		for i, e := range v {
			items[i] = Dump(e)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case *connectors.Map:
		var entries []string
		for k, e := range v.All() {
			entries = append(entries, Dump(k)+": "+Dump(e))
		}
		sort.Strings(entries)
		return "{" + strings.Join(entries, ", ") + "}"
	case *connectors.Struct:
		var fields []string
		for i, f := range v.Schema().Fields {
			fields = append(fields, f.Name+"="+Dump(v.Raw(i)))
		}
		return "struct(" + DumpSchema(v.Schema()) + "){" + strings.Join(fields, ", ") + "}"
	}
	return fmt.Sprintf("%T:%v", value, value)
}

// dumpDefault is Dump without the schema of a struct, which is the one whose default it is.
func dumpDefault(value any) string {
	s, ok := value.(*connectors.Struct)
	if !ok {
		return Dump(value)
	}
	var fields []string
	for i := range s.Schema().Fields {
		fields = append(fields, Dump(s.Raw(i)))
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// DumpSchema returns a text that is the same for equal schemas only.
func DumpSchema(s *connectors.Schema) string {
	if s == nil {
		return "-"
	}
	var b strings.Builder
	b.WriteString(s.Type.String())
	if s.Optional {
		b.WriteByte('?')
	}
	if s.Name != "" {
		fmt.Fprintf(&b, " name=%q", s.Name)
	}
	if s.Version != nil {
		fmt.Fprintf(&b, " version=%d", *s.Version)
	}
	if s.Doc != "" {
		fmt.Fprintf(&b, " doc=%q", s.Doc)
	}
	if len(s.Parameters) > 0 {
		fmt.Fprintf(&b, " parameters=%q", s.Parameters)
	}
	if s.Default != nil {
		fmt.Fprintf(&b, " default=%s", dumpDefault(s.Default))
	}
	switch s.Type {
	case connectors.TypeArray:
		b.WriteString(" of " + DumpSchema(s.Value))
	case connectors.TypeMap:
		b.WriteString(" of " + DumpSchema(s.Key) + " to " + DumpSchema(s.Value))
	case connectors.TypeStruct:
		b.WriteString(" {")
		for _, f := range s.Fields {
			b.WriteString(f.Name + ": " + DumpSchema(f.Schema) + "; ")
		}
		b.WriteByte('}')
	}
	return b.String()
}

// speaking are the Java exceptions whose texts users search for. Of others only the failing counts.
var speaking = []string{"DataException", "ConfigException", "SchemaBuilderException", "ConnectException"}

// javaNames are the words that only a program in Java says: classes, objects' addresses, positions of parsers.
var javaNames = regexp.MustCompile(`No enum constant [\w.]+|(?s)on record: .*|\(?(class )?(\[B(@0)?|[a-z]\w*(\.[\w$]+)+)(@0)?[,)]?|@0|\[Source:.*|(?s) near index .*`)

// CheckError reports whether an error says what the recorded one says: all its words but those that belong to Java.
func CheckError(t *testing.T, err error, want *Error) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %s", want.Message)
		return
	}
	if !slices.Contains(speaking, want.Error) {
		return
	}
	if regex := strings.Index(want.Message, "Invalid regex:"); regex >= 0 {
		want.Message = want.Message[:regex+len("Invalid regex:")]
	}
	got := err.Error()
	for _, word := range strings.Fields(javaNames.ReplaceAllString(want.Message, " ")) {
		if !strings.Contains(got, word) {
			t.Errorf("error lacks %q\n got %s\nwant %s", word, got, want.Message)
			return
		}
	}
}
