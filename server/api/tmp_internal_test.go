package api
import ("testing";"time";"runtime";"fmt"
 "buf.build/go/protovalidate"
 susulv1 "susul.dev/susul/gen/susul/v1")
func TestTmpViolations(t *testing.T){
 rules,_:=protovalidate.New(); v:=validator{rules}
 for _,id:=range []string{"x",""} { for _,n:=range []int{100000,1000000,1000001}{
 ids:=make([]string,n); for i:=range ids {ids[i]=id}
 req:=&susulv1.CreatePushRequest{Parent:"apps/a",Push:&susulv1.Push{Notification:&susulv1.Notification{Alert:"a"},Audience:&susulv1.Audience{Kind:&susulv1.Audience_RegistrationIds{RegistrationIds:&susulv1.RegistrationIds{Ids:ids}}}}}
 var a,b runtime.MemStats; runtime.ReadMemStats(&a); s:=time.Now(); err:=v.check(req); runtime.ReadMemStats(&b)
 fmt.Println(id=="",n,time.Since(s),(b.TotalAlloc-a.TotalAlloc)>>20,"MiB", (b.HeapSys)>>20, err!=nil)
 }}
}
