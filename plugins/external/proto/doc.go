// Package proto is the protocol of out-of-process plugins: plugin.proto and the Go code made from it. The .proto file is its
// reference; for other languages it is all that is needed.
//
// After a change, with protoc installed: go generate ./plugins/external/proto
package proto

//go:generate go build -o ../../../.cache/protoc/ google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc
//go:generate env PATH=../../../.cache/protoc:/usr/local/bin:/usr/bin:/bin protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative plugin.proto
