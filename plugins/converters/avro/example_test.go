package avro_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"millrace/connectors"
	"millrace/plugins/converters/avro"
)

func Example() {
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
		fmt.Fprint(w, `{"id":7}`)
	}))
	defer registry.Close()

	converter := avro.New()
	if err := converter.Configure(map[string]string{"schema.registry.url": registry.URL}, false); err != nil {
		fmt.Println(err)
		return
	}
	data, err := converter.FromConnect("names", nil, connectors.StringSchema, "Ada")
	fmt.Printf("%x %v\n", data, err)
	// Output:
	// POST /subjects/names-value/versions
	// 000000000706416461 <nil>
}
