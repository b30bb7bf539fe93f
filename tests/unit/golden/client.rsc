/interface wireguard add name="wg-office" private-key="AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=" mtu=1380
/interface wireguard peers add interface="wg-office" public-key="zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk=" preshared-key="AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=" endpoint-address="2001:db8::1" endpoint-port="51820" allowed-address="10.0.0.0/24,::/0" persistent-keepalive=25s
/ip address add address="10.0.0.2/32" interface="wg-office"
/ipv6 address add address="fd00::2/128" interface="wg-office" advertise=no
/ip route add dst-address="10.0.0.0/24" gateway="wg-office"
/ipv6 route add dst-address="::/0" gateway="wg-office"
/ip dns set servers="10.0.0.1,fd00::1"
