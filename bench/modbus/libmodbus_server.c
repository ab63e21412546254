/* libmodbus server, select() loop as in libmodbus tests/bandwidth-server-many-up. usage: libmodbus_server PORT */
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int ac,char**av){ modbus_t*ctx=modbus_new_tcp("127.0.0.1",atoi(av[1])); modbus_mapping_t*m=modbus_mapping_new(1000,1000,1000,1000); for(int i=0;i<1000;i++) m->tab_registers[i]=i; int s=modbus_tcp_listen(ctx,64); fd_set ref; FD_ZERO(&ref); FD_SET(s,&ref); int mx=s; uint8_t q[MODBUS_TCP_MAX_ADU_LENGTH];
 for(;;){ fd_set r=ref; if(select(mx+1,&r,0,0,0)<0) return 1; for(int fd=0;fd<=mx;fd++){ if(!FD_ISSET(fd,&r)) continue; if(fd==s){ int n=accept(s,0,0); if(n<0) continue; modbus_set_socket(ctx,n); int one=1; setsockopt(n,6,1,&one,sizeof one); FD_SET(n,&ref); if(n>mx) mx=n; } else { modbus_set_socket(ctx,fd); int rc=modbus_receive(ctx,q); if(rc>0) modbus_reply(ctx,q,rc,m); else if(rc==-1){ close(fd); FD_CLR(fd,&ref);} } } } }
