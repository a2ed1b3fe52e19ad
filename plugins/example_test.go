package plugins_test

import (
	"fmt"
	"log"

	"millrace/connectors"
	"millrace/plugins"
	"millrace/plugins/converters"
	"millrace/plugins/transforms"
)

func ExampleRegistry() {
	registry := plugins.New()
	if err := registry.Add(append(converters.Plugins(), transforms.Plugins()...)...); err != nil {
		log.Fatal(err)
	}
	for _, class := range []string{
		"org.apache.kafka.connect.json.JsonConverter", "JsonConverter", "Json", "com.company.kafka.JsonConverter", "XmlConverter",
	} {
		p, err := registry.Lookup(connectors.KindConverter, class, "")
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(class, "is", p.Class)
	}
	// Output:
	// org.apache.kafka.connect.json.JsonConverter is org.apache.kafka.connect.json.JsonConverter
	// JsonConverter is org.apache.kafka.connect.json.JsonConverter
	// Json is org.apache.kafka.connect.json.JsonConverter
	// com.company.kafka.JsonConverter is org.apache.kafka.connect.json.JsonConverter
	// Class XmlConverter could not be found.
}
