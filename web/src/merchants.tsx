import { condition, type Merchant } from './kinds'
import { Conditions, Fact, Facts, Liveness, More, State, Text, Time, useFollow } from './parts'
import { route } from './state'
import { t } from './words'

const most = 500

export function Merchants() {
  const { namespace } = route.value
  const following = useFollow<Merchant>({ namespace, resource: 'merchants', most })
  void following.turn.value
  const merchants = [...following.items.values()].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name))
  return (
    <>
      <h1>{t('merchants')}</h1>
      <Liveness of={following} />
      <More of={following.more.value} most={most} />
      {!merchants.length && <p class="hint">{following.loading.value ? t('loading') : t('none')}</p>}
      <ul class="cards">
        {merchants.map((merchant) => (
          <li class="card" key={merchant.metadata.name} id={`merchant-${merchant.metadata.name}`}>
            <header>
              <h2>
                <Text>{merchant.metadata.name}</Text>
              </h2>
              <State reason={condition(merchant, 'Ready')?.reason} status={condition(merchant, 'Ready')?.status} />
            </header>
            <Facts>
              <Fact name="merchantNumber">
                <Text>{[merchant.spec.mchID, merchant.spec.partner?.subMchID].filter(Boolean).join(' / ')}</Text>
              </Fact>
              <Fact name="protocol">{merchant.spec.protocol ?? 'V2'}</Fact>
              <Fact name="refundApproval">{t(merchant.spec.refundApproval === 'Automatic' ? 'automatic' : 'manual')}</Fact>
              <Fact name="certificateUntil">
                <Time at={merchant.status?.certificate?.notAfter} />
              </Fact>
            </Facts>
            <Conditions of={merchant} />
          </li>
        ))}
      </ul>
    </>
  )
}
