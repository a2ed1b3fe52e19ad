package protobuf

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"

	"millrace/connectors"
	"millrace/plugins/converters/schemaregistry"
)

//go:embed proto
var imports embed.FS

const mainFile = "schema.proto"

func dataError(format string, args ...any) error {
	return &connectors.DataError{Msg: fmt.Sprintf(format, args...)}
}

// compile returns the file of a schema's text.
func compile(source schemaregistry.Source) (protoreflect.FileDescriptor, error) {
	texts := map[string]string{mainFile: source.Text}
	for _, r := range source.References {
		texts[r.Name] = r.Text
	}
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: func(path string) (io.ReadCloser, error) {
			if text, ok := texts[path]; ok {
				return io.NopCloser(strings.NewReader(text)), nil
			}
			if !fs.ValidPath(path) {
				return nil, fs.ErrNotExist
			}
			return imports.Open("proto/" + path)
		}}),
		MaxParallelism: 1,
	}
	files, err := compiler.Compile(context.Background(), mainFile)
	if err != nil {
		return nil, &connectors.DataError{Msg: "unusable Protobuf schema", Cause: err}
	}
	return files[0], nil
}

// message returns the message that indexes lead to.
func message(file protoreflect.FileDescriptor, indexes []int) (protoreflect.MessageDescriptor, error) {
	var m protoreflect.MessageDescriptor
	list := file.Messages()
	for _, i := range indexes {
		if i < 0 || i >= list.Len() {
			return nil, dataError("the Protobuf schema has no message with indexes %v", indexes)
		}
		m = list.Get(i)
		list = m.Messages()
	}
	if m == nil {
		return nil, dataError("the Protobuf schema has no message with indexes %v", indexes)
	}
	return m, nil
}
