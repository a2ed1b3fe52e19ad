package connectjson_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/offsets/connectjson"
)

func TestAppend(t *testing.T) {
	tests := []struct {
		in   any
		want string
	}{
		{nil, `null`},
		{true, `true`},
		{"say \"hi\" ü€/<>&\u2028\x01\x1f\b\t\n\f\r\\", `"say \"hi\" ü€/<>&` + "\u2028" + `\u0001\u001F\b\t\n\f\r\\"`},
		{int64(math.MinInt64), `-9223372036854775808`},
		{1.0, `1.0`},
		{0.0, `0.0`},
		{-0.5, `-0.5`},
		{1e7, `1.0E7`},
		{9999999.0, `9999999.0`},
		{0.00012, `1.2E-4`},
		{float32(0.1), `0.1`},
		{[]any{"a", int64(1), map[string]any{}}, `["a",1,{}]`},
		{map[string]any{"b": nil, "a": "x"}, `{"a":"x","b":null}`},
		{connectjson.Object{{"z", 1}, {"a", map[string]string{"k": "v"}}}, `{"z":1,"a":{"k":"v"}}`},
	}
	for _, tt := range tests {
		got, err := connectjson.Append(nil, tt.in)
		if err != nil || string(got) != tt.want {
			t.Errorf("Append(%#v) = %s, %v, want %s", tt.in, got, err, tt.want)
		}
	}
	for _, bad := range []any{math.NaN(), math.Inf(1), struct{}{}, []any{[]byte{1}}} {
		if got, err := connectjson.Append(nil, bad); err == nil {
			t.Errorf("Append(%#v) = %s, want an error", bad, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`["src",{"filename":"in.txt"}]`))
	f.Add([]byte(`{"a":1,"b":1.5,"c":1e400,"d":[null,true,99999999999999999999]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := connectjson.Read(data)
		if err != nil {
			return
		}
		text, err := connectjson.Append(nil, v)
		if err != nil {
			t.Fatalf("Append(%#v): %v", v, err)
		}
		again, err := connectjson.Read(text)
		if err != nil {
			t.Fatalf("Read(%s): %v", text, err)
		}
		if diff := cmp.Diff(v, again); diff != "" {
			t.Fatalf("%s reads back differently:\n%s", text, diff)
		}
	})
}
