/* mbload: closed-loop Modbus/TCP load generator (epoll, one thread).
 * usage: load [-H 127.0.0.1] [-p port] [-c conns] [-s seconds] [-w warmup_s] [-n regcount] [-a addr] [-u unit] [-f fc] [-d pipeline_depth] [-r total_rate_per_s]
 * -d >1 keeps depth requests outstanding per connection. -r paces (open loop, latency from scheduled time).
 * prints one JSON line. Every response is checked (tid, unit, fc, byte count); bad ones are counted. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#define MAXD 64
#define BUF 32768
typedef struct { int fd; uint16_t tid_next, tid_exp; int out; uint64_t t0[MAXD]; uint8_t buf[BUF]; int len; } conn;
static inline uint64_t now(void){struct timespec t;clock_gettime(CLOCK_MONOTONIC,&t);return t.tv_sec*1000000000ull+t.tv_nsec;}
/* log-linear histogram: 1us .. */
#define NB (64*40)
static uint64_t hist[NB]; 
static int bucket(uint64_t ns){ uint64_t v=ns/100; /*0.1us units*/ if(v<64) return (int)v; int e=63-__builtin_clzll(v); int sub=(int)((v>>(e-6))&63); int b=(e-5)*64+sub; return b<NB?b:NB-1;}
static double bval(int b){ if(b<64) return b*0.1; int e=b/64+5; int sub=b%64; return (double)(((1ull<<6)|sub))*(double)(1ull<<(e-6))*0.1; }
static double pct(double q,uint64_t n){ uint64_t c=0,t=(uint64_t)(q*n); for(int i=0;i<NB;i++){c+=hist[i]; if(c>t) return bval(i);} return bval(NB-1);}
int main(int ac,char**av){
  const char*host="127.0.0.1"; int port=1502,nc=1,cnt=2,addr=0,unit=1,fc=3,depth=1; double secs=3,warm=0.5,rate=0; int o;
  while((o=getopt(ac,av,"H:p:c:s:w:n:a:u:f:d:r:"))!=-1) switch(o){case 'H':host=optarg;break;case 'p':port=atoi(optarg);break;case 'c':nc=atoi(optarg);break;case 's':secs=atof(optarg);break;case 'w':warm=atof(optarg);break;case 'n':cnt=atoi(optarg);break;case 'a':addr=atoi(optarg);break;case 'u':unit=atoi(optarg);break;case 'f':fc=atoi(optarg);break;case 'd':depth=atoi(optarg);break;case 'r':rate=atof(optarg);break;default:return 2;}
  if(depth>MAXD) depth=MAXD;
  conn*C=calloc(nc,sizeof(conn)); int ep=epoll_create1(0);
  struct sockaddr_in sa={.sin_family=AF_INET,.sin_port=htons(port)}; inet_pton(AF_INET,host,&sa.sin_addr);
  for(int i=0;i<nc;i++){ int fd=socket(AF_INET,SOCK_STREAM,0); if(connect(fd,(void*)&sa,sizeof sa)){perror("connect");return 1;} int one=1; setsockopt(fd,IPPROTO_TCP,TCP_NODELAY,&one,sizeof one); fcntl(fd,F_SETFL,O_NONBLOCK); C[i].fd=fd; struct epoll_event e={.events=EPOLLIN,.data.u32=i}; epoll_ctl(ep,EPOLL_CTL_ADD,fd,&e);}  
  uint64_t start=now(), meas=start+(uint64_t)(warm*1e9), end=meas+(uint64_t)(secs*1e9), ok=0,bad=0,exc=0,sent=0,skipped=0;
  uint8_t req[12]; uint64_t last_rx=start;
  int explen=9+(fc<=2?(cnt+7)/8:2*cnt);
  #define SEND(c,t) do{ uint16_t td=(c)->tid_next++; req[0]=td>>8;req[1]=td;req[2]=req[3]=0;req[4]=0;req[5]=6;req[6]=unit;req[7]=fc;req[8]=addr>>8;req[9]=addr;req[10]=cnt>>8;req[11]=cnt; (c)->t0[td%MAXD]=(t); (c)->out++; sent++; if(send((c)->fd,req,12,MSG_NOSIGNAL)!=12){perror("send");return 1;} }while(0)
  uint64_t period=rate>0?(uint64_t)(1e9/rate):0,nexts=start; int rr=0;
  if(!period) for(int i=0;i<nc;i++) for(int d=0;d<depth;d++) SEND(&C[i],now());
  struct epoll_event ev[256];
  for(;;){ uint64_t t=now(); if(t>=end) break;
    int to=100;
    if(period){ while(nexts<=t){ conn*c=NULL; for(int k=0;k<nc;k++){conn*q=&C[(rr+k)%nc]; if(q->out<depth){c=q;rr=(rr+k+1)%nc;break;}} if(!c){skipped++; } else SEND(c,nexts); nexts+=period; } 
      /* ns precise wait */ struct timespec ts; uint64_t w=nexts>t?nexts-t:0; ts.tv_sec=0; ts.tv_nsec=w<50000000?w:50000000; int n2=epoll_pwait2(ep,ev,256,&ts,NULL); o=n2; }
    else o=epoll_wait(ep,ev,256,to);
    if(o<=0){ if(now()-last_rx>3000000000ull){fprintf(stderr,"stalled: no response 3s\n");break;} continue; }
    for(int k=0;k<o;k++){ conn*c=&C[ev[k].data.u32]; int r=recv(c->fd,c->buf+c->len,BUF-c->len,0); if(r==0){fprintf(stderr,"server closed\n");return 1;} if(r<0){ if(errno==EAGAIN) continue; perror("recv"); return 1;} c->len+=r; t=now(); last_rx=t; int p=0,done=0;
      while(c->len-p>=9){ int L=6+((c->buf[p+4]<<8)|c->buf[p+5]); if(c->len-p<L) break; uint16_t tid=(c->buf[p]<<8)|c->buf[p+1]; 
        if(c->buf[p+7]&0x80) exc++; else if(tid!=c->tid_exp||L!=explen||c->buf[p+6]!=unit||c->buf[p+7]!=fc) bad++; 
        c->tid_exp=tid+1; c->out--; done++; if(t>=meas){ ok++; hist[bucket(t-c->t0[tid%MAXD])]++; } p+=L; }
      if(p){ memmove(c->buf,c->buf+p,c->len-p); c->len-=p; }
      if(!period) for(int d=0;d<done;d++) SEND(c,now()); }
  }
  double el=(now()-meas)/1e9; if(el>secs) el=secs;
  printf("{\"conns\":%d,\"depth\":%d,\"count\":%d,\"rps\":%.0f,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"n\":%lu,\"total\":%lu,\"bad\":%lu,\"exc\":%lu,\"skipped\":%lu}\n",nc,depth,cnt,ok/el,pct(.5,ok),pct(.9,ok),pct(.99,ok),pct(.999,ok),ok,sent,bad,exc,skipped);
  return bad||exc?3:0; }
